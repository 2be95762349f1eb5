"""Runs documented commands: `adx` in this process, which spares its start, and whatever needs a shell in a real one."""

from __future__ import annotations

import contextlib
import io
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from pipelines.cli.app import build

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def adx(arguments: Sequence[str], environ: Mapping[str, str], folder: Path, stdin: str = "") -> Ran:
    """Run the command line itself, as its process would: same arguments, same variables, same folder."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, environ, clear=True),
        mock.patch("sys.stdin", io.StringIO(stdin)),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            build()(list(arguments), prog_name="adx")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Ran(code, out.getvalue(), err.getvalue())


class Shell:
    """A bash that keeps its folder and variables from command to command, as a person's does."""

    def __init__(self, environ: Mapping[str, str], folder: Path, logs: Path) -> None:
        logs.mkdir(parents=True)
        self._logs, self._count = logs, 0
        answers, write_end = os.pipe()
        self._answers = answers
        bash = shutil.which("bash")
        assert bash is not None, "the shell blocks of the pages are bash's"
        with (logs / "shell.log").open("wb") as log:
            self._process = subprocess.Popen(
                [bash, "--noprofile", "--norc"],
                env={**environ, "ANSWERS": str(write_end)},
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[write_end],
                start_new_session=True,
            )
        os.close(write_end)

    def run(self, text: str) -> Ran:
        """Run ``text`` to its end (what it puts into the background goes on)."""
        name = self.tell(text)
        code = self.answer(text)
        return Ran(code, name.with_suffix(".out").read_text("utf-8"), name.with_suffix(".err").read_text("utf-8"))

    def tell(self, text: str) -> Path:
        """Have ``text`` run; its output goes to the files ``.out`` and ``.err`` of this name."""
        self._count += 1
        name = self._logs / str(self._count)
        said = f"{{ {text}\n}} >'{name}.out' 2>'{name}.err' </dev/null; echo $? >&$ANSWERS\n"
        assert self._process.stdin is not None
        self._process.stdin.write(said.encode())
        self._process.stdin.flush()
        return name

    def answer(self, text: str) -> int:
        """The exit status of what was told."""
        give_up_at, answer = time.monotonic() + PATIENCE_SECONDS, b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self._answers], [], [], give_up_at - time.monotonic())
            assert ready, f"not over after {PATIENCE_SECONDS} s: {text}"
            part = os.read(self._answers, 100)
            assert part, f"the shell itself ended at: {text}"
            answer += part
        return int(answer)

    def end(self) -> None:
        """End it and everything that it left in the background."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._answers)


@contextlib.contextmanager
def shell(environ: Mapping[str, str], folder: Path, logs: Path) -> Iterator[Shell]:
    """A shell that ends with the block."""
    opened = Shell(environ, folder, logs)
    try:
        yield opened
    finally:
        opened.end()
