"""The tests themselves: each can fail, each skip has a reason, and none waits for a time instead of for a state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.layout.asserting import Function, read, silent_tests, tree_of

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BLIND_WAITS = {
    "tests/delivery/test_fleet_faults.py": "the fault is its duration: a server that is away for long",
}
"""Files that may sleep outside a loop, and why."""
SKIPS = {"skip", "skipif", "xfail"}


def test_every_test_can_fail() -> None:
    """By an assert of something that is not constant, an expected error, or a helper with one."""
    assert set(silent_tests(read(ROOT))) == set()


@pytest.mark.parametrize(
    ("body", "is_silent"),
    [
        ("helped()", False),
        ("helped_by_helper()", False),
        ("Thing().checks()", False),
        ("assert 1 == int('1')", False),
        ("raise AssertionError('never')", False),
        ("with pytest.raises(ValueError): int('x')", False),
        ("idle()", True),
        ("assert True", True),
        ("assert (idle(), 'always true')", True),
        ("Thing().looks()", True),
    ],
)
def test_a_test_without_an_assertion_is_found(tmp_path: Path, body: str, is_silent: bool) -> None:
    """Helpers are followed through imports, helpers of helpers and methods."""
    folder = tmp_path / "tests" / "support"
    folder.mkdir(parents=True)
    (folder / "helpers.py").write_text("def helped():\n    assert idle()\n\ndef idle():\n    return 1\n")
    (tmp_path / "tests" / "test_it.py").write_text(
        dedent(f"""
        from tests.support.helpers import helped, idle

        class Thing:
            def checks(self): helped()
            def looks(self): idle()

        def helped_by_helper(): helped()

        def test_it():
            {body}
        """)
    )

    assert list(silent_tests(read(tmp_path))) == (["test_it.py::test_it"] if is_silent else [])


def test_every_skip_has_a_reason() -> None:
    """A test that is left out says why, to whoever reads the run."""
    assert [found for path in TESTS for found in skips_without_reason(path)] == []


def test_no_test_waits_blindly() -> None:
    """A fixed wait is too short on a busy machine and too long on an idle one: a state is polled for, in a loop."""
    found = [wait for path in TESTS if str(path.relative_to(ROOT)) not in BLIND_WAITS for wait in blind_waits(path)]

    assert found == []


def skips_without_reason(path: Path) -> Iterator[str]:
    """Places of skips, expected failures and conditional skips that say nothing."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SKIPS:
            has_words = bool(node.args) and node.func.attr == "skip"
            if not has_words and not any(keyword.arg == "reason" for keyword in node.keywords):
                yield f"{path.name}:{node.lineno}"
        elif isinstance(node, Function):
            bare = (decorator for decorator in node.decorator_list if isinstance(decorator, ast.Attribute))
            yield from (f"{path.name}:{mark.lineno}" for mark in bare if mark.attr in SKIPS)


def blind_waits(path: Path) -> Iterator[str]:
    """Places of ``sleep`` of a time other than 0 that no loop surrounds."""
    yield from _blind(tree_of(path), path, is_in_loop=False)


def _blind(parent: ast.AST, path: Path, *, is_in_loop: bool) -> Iterator[str]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, Function | ast.Lambda):
            is_looped = False
        else:
            is_looped = is_in_loop or isinstance(node, ast.While | ast.For | ast.AsyncFor)
        if isinstance(node, ast.Call) and not is_looped and _waits(node):
            yield f"{path.name}:{node.lineno}"
        yield from _blind(node, path, is_in_loop=is_looped)


def _waits(call: ast.Call) -> bool:
    called = call.func
    is_sleep = isinstance(called, ast.Attribute) and called.attr == "sleep" and isinstance(called.value, ast.Name)
    return is_sleep and called.value.id in {"time", "asyncio", "anyio"} and ast.unparse(call.args[0]) != "0"
