"""Building one tool with Go: staged in a temporary folder, installed by one rename.

A failed or interrupted build leaves nothing but its log. The lock that keeps
builds one at a time is taken by the caller (see toolchain.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import ToolchainError
from scripts.progress import Reporter
from scripts.toolchain.cache import Cache, move_into_place
from scripts.toolchain.golang import Go, build_environment
from scripts.toolchain.recipe import Copy, Recipe

_MEASURED_ON_CORES = 2
_LOG_END_LINES = 30
_TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds recipes into ``cache`` with ``go``."""

    cache: Cache
    go: Go
    environ: Mapping[str, str]
    reporter: Reporter

    def build(self, recipe: Recipe) -> Path:
        """Build and install ``recipe``; returns the binary. ToolchainError with the end of the log when it fails."""
        log_file = self.cache.log_file(recipe.name)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.write_bytes(b"")
        title = f"building {recipe.name} {recipe.version} with go {self.go.version}"
        expected_seconds = expected_seconds_here(recipe.expected_seconds)
        with (
            self.reporter.step(title, expected_seconds=expected_seconds),
            self._staging(recipe) as (source, output),
        ):
            self._copy(recipe, "source", source, log_file)
            self._compile(recipe, source, output, log_file)
            self._copy(recipe, "beside-binary", output, log_file)
            move_into_place(output, self.cache.tool_folder(recipe))
        return self.cache.tool_folder(recipe) / recipe.name

    @contextlib.contextmanager
    def _staging(self, recipe: Recipe) -> Iterator[tuple[Path, Path]]:
        """Folders for the sources and for the result; both are gone afterwards."""
        self.cache.building_folder.mkdir(parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(prefix=f"{recipe.name}-", dir=self.cache.building_folder))
        source, output = root / "source", root / "output"
        source.mkdir()
        output.mkdir()
        try:
            for file in recipe.source_files():
                shutil.copyfile(file, source / file.name)
            yield source, output
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def _compile(self, recipe: Recipe, source: Path, output: Path, log_file: Path) -> None:
        command = ["build", "-trimpath", "-o", str(output / recipe.name), "-ldflags", " ".join(recipe.ldflags)]
        if recipe.tags:
            command += ["-tags", ",".join(recipe.tags)]
        self._go(recipe, [*command, recipe.package], source, log_file)

    def _copy(self, recipe: Recipe, to: str, folder: Path, log_file: Path) -> None:
        for copy in recipe.copies:
            if copy.to == to:
                target = folder / Path(copy.file).name
                shutil.copyfile(self._module_folder(recipe, copy, log_file) / copy.file, target)
                target.chmod(0o755 if to == "beside-binary" else 0o644)

    def _module_folder(self, recipe: Recipe, copy: Copy, log_file: Path) -> Path:
        """Where Go keeps the sources of ``copy.module`` in the version that go.mod pins."""
        source = recipe.folder
        self._go(recipe, ["mod", "download", copy.module], source, log_file)
        answer = subprocess.run(
            [self.go.path, "list", "-m", "-f", "{{.Dir}}", copy.module],
            cwd=source,
            env=build_environment(self.go, self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0 or not answer.stdout.strip():
            log_file.write_text(answer.stderr, encoding="utf-8")
            raise _failed(recipe, log_file)
        return Path(answer.stdout.strip())

    def _go(self, recipe: Recipe, arguments: list[str], folder: Path, log_file: Path) -> None:
        """Run Go in a process group of its own, so that an interrupted build takes its compilers along."""
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [self.go.path, *arguments],
                cwd=folder,
                env=build_environment(self.go, self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
            try:
                _wait(process, self.reporter)
            finally:
                _end_group(process)
        if process.returncode != 0:
            raise _failed(recipe, log_file)


def expected_seconds_here(measured_seconds: int) -> int:
    """What was measured on two cores, scaled to this machine's cores (compilers use up to eight well)."""
    cores = min(os.cpu_count() or 1, 8)
    return max(1, round(measured_seconds * _MEASURED_ON_CORES / cores))


def _wait(process: subprocess.Popen[bytes], reporter: Reporter) -> None:
    while True:
        try:
            process.wait(_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            reporter.tick()
        else:
            return


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failed(recipe: Recipe, log_file: Path) -> ToolchainError:
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    end = "\n".join(f"    {line}" for line in lines[-_LOG_END_LINES:]) or "    (it wrote nothing)"
    return ToolchainError(
        f"{recipe.name} {recipe.version} could not be built; the end of its log:\n{end}",
        next_step=f"the whole log is {log_file}; when the cause is gone, "
        f"run `python -m scripts.toolchain build {recipe.name}`",
    )
