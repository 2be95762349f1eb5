"""The workflow files under the linters that know GitHub."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.toolchain import Toolchain
from tests.github_workflows.runner import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GUIDE = ROOT / "docs" / "pull-requests.md"
ZIZMOR = Path(sysconfig.get_path("scripts")) / "zizmor"


def actionlint(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the pinned actionlint; built within half a minute where `make tools` has not been run."""
    tool = Toolchain().resolve("actionlint")
    return subprocess.run([tool.path, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def zizmor(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run zizmor without network."""
    command: list[str | Path] = [
        ZIZMOR,
        "--offline",
        "--no-progress",
        "--strict-collection",
        "--persona=pedantic",
        *options,
        folder,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, contexts, inputs of local actions."""
    done = actionlint("-no-color", *FILES)

    assert len(FILES) == 3
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    """A linter that looked at nothing would be silent too."""
    broken = tmp_path / "broken.yml"
    broken.write_text(FILES[0].read_text("utf-8").replace("github.sha", "github.shaa"), "utf-8")

    done = actionlint("-no-color", broken)

    assert done.returncode == 1
    assert 'property "shaa" is not defined' in done.stdout


def test_zizmor_finds_nothing_even_when_pedantic() -> None:
    """Injection, permissions, pins, credentials left behind, poisoned caches."""
    done = zizmor(ROOT / ".github")

    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout + done.stderr


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    """An expression put into a script is what it is here for."""
    text = (ROOT / ".github" / "workflows" / "deliver.yml").read_text("utf-8")
    broken = tmp_path / ".github" / "workflows" / "deliver.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace('"$COMMIT"', "${{ github.head_ref }}"), "utf-8")

    done = zizmor(tmp_path)

    assert done.returncode != 0
    assert "template-injection" in done.stdout


@pytest.mark.parametrize("lint", [zizmor, actionlint])
def test_the_workflows_hold_in_another_repository_after_the_command_of_the_guide(
    tmp_path: Path, lint: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The guide's own lines are run on copies; both linters then find nothing, and no local action is left."""
    folder = tmp_path / ".github" / "workflows"
    shutil.copytree(ROOT / ".github" / "workflows", folder)
    command = re.search(r"^commit=0{40}.*\nsed -i .*$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    subprocess.run(["bash", "-e", "-c", command[0]], cwd=tmp_path, check=True)

    copies = sorted(folder.iterdir())
    done = lint(tmp_path) if lint is zizmor else lint("-no-color", *copies)

    assert done.returncode == 0, done.stdout
    assert [path.name for path in copies if "uses: ./" in path.read_text("utf-8")] == []
    assert f"uses: OWNER/adx/.github/actions/setup-adx@{'0' * 40} # v0.1.0" in copies[0].read_text("utf-8")
