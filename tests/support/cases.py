"""Runs case files: a small valid repository, some edits, and what must be found then.

A case's name says what is expected: ``valid-….yaml`` has no problem,
``refused-….yaml`` has exactly those under ``expect``::

    set:                            # file → path → value; null removes
      tenants/acme.yaml:
        environments[0]: developmnt
    expect:                         # rule, place, and texts that what and fix contain
      - rule: tenancy.environment-exists
        at: tenants/acme.yaml environments[0]
        fix: development
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.errors import Problem
from tests.support.declared import edited, problems_of


def case_files(test_file: str, folder: str) -> list[object]:
    """The cases in ``cases/<folder>`` beside ``test_file``, as pytest parameters named like their files."""
    paths = sorted((Path(test_file).parent / "cases" / folder).glob("*.yaml"))
    assert paths, f"no case files for {test_file}"
    return [pytest.param(path, id=path.stem) for path in paths]


def run_case(path: Path) -> None:
    """Apply the edits of the case to the base and compare what is found with what its author expects."""
    case: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) or {}
    expected: list[dict[str, str]] = case.get("expect", [])
    assert path.stem.startswith("refused-" if expected else "valid-"), "the name must say the expectation"
    problems = problems_of(edited(case.get("set", {})))
    found = sorted((problem.rule, f"{problem.file} {problem.path}".strip()) for problem in problems)
    assert found == sorted((item["rule"], item["at"]) for item in expected), problems
    for item in expected:
        _assert_texts(item, problems)


def _assert_texts(item: dict[str, str], problems: list[Problem]) -> None:
    """What is wrong and what would be right are said in the words that the case names, at one of the problems there."""
    there = [problem for problem in problems if f"{problem.file} {problem.path}".strip() == item["at"]]
    for problem in there:
        if item.get("what", "") in problem.what and item.get("fix", "") in problem.fix:
            return
    pytest.fail(f"{item} is not said by {there}")
