"""Mutants of a small module: where each is, and what the tests say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = '''"""A module."""


class Thing:
    """One."""

    def doubled(self, number: int) -> int:
        """Twice ``number``."""
        return number * 2

    @property
    def is_known(self) -> bool:
        """Always."""
        return True


def is_more(one: int, other: int) -> bool:
    """Whether it is."""
    return one > other


def forgotten() -> int:
    return 1
'''
TESTS = """
from shop.small import Thing, is_more

def test_doubled():
    assert Thing().doubled(3) == 6
    assert Thing().is_known

def test_is_more():
    assert is_more(2, 1)
"""
PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from scripts.mutants.workspace import mutate
print(json.dumps([asdict(mutant) for mutant in mutate(Path.cwd(), "shop/small.py")]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one module and its tests."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "small.py").write_text(SOURCE)
    (tmp_path / "test_small.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text('[tool.mutmut]\nsource_paths = ["shop"]\ntrack_dependencies = false\n')
    return tmp_path


def run(folder: Path, *arguments: str, **environ: str) -> str:
    """The output of Python with ``arguments`` in ``folder``, in which its own modules come first."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**plain, "MUTANT_UNDER_TEST": "", "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), **environ},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_each_mutant_is_asked_about_and_named_by_its_line(folder: Path) -> None:
    """A change that a test notices, one that none does, and one in what no test reaches."""
    mutants = json.loads(run(folder, "-c", PROGRAM))
    names = {mutant["name"]: mutant["name"].partition("__mutmut_")[0] for mutant in mutants}
    task, answers = folder / "task.json", folder / "answers.jsonl"
    task.write_text(json.dumps({"mutants": names, "jobs": 2, "results": str(answers)}))

    options = ("-q", "--capture=no", "-p", "no:randomly", "-p", "no:xdist", "-p", "scripts.mutants.loop")
    run(folder, "-m", "pytest", *options, "test_small.py", ADX_MUTANTS_TASK=str(task))

    verdicts = {one["name"]: one["verdict"] for one in map(json.loads, answers.read_text().splitlines())}
    found = {(mutant["line"], mutant["after"]): verdicts[mutant["name"]] for mutant in mutants}
    assert found == {
        (9, "return number / 2"): "killed",
        (9, "return number * 3"): "killed",
        (14, "return False"): "killed",
        (19, "return one >= other"): "survived",
        (23, "return 2"): "no test",
    }
