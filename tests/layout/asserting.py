"""Which functions of the tests can fail, read from their source: an assert, an expected error, or a helper with one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

FAILING = {"raises", "fail", "warns", "fail_after", "run_state_machine_as_test"}
"""Functions of pytest, AnyIO and Hypothesis that fail a test by themselves."""
FAILING_METHODS = {"replay_workflow", "replay_workflows", "call_and_validate"}
"""Methods of libraries that raise when what they look at is not as it should be: Temporal's Replayer, Schemathesis."""


@dataclass(frozen=True)
class Body:
    """What matters of a function: whether it asserts by itself, and what it calls, as (owner or None, name)."""

    asserts: bool
    calls: frozenset[tuple[str | None, str]]


@dataclass
class Module:
    """One file: its functions and methods by name, and where each imported name comes from (module, name)."""

    path: Path
    functions: dict[str, Body] = field(default_factory=dict)
    methods: dict[str, list[Body]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def read(root: Path) -> dict[str, Module]:
    """Every module below ``root/tests`` by its dotted name."""
    paths = sorted((root / "tests").rglob("*.py"))
    return {".".join(path.relative_to(root).with_suffix("").parts): _module(path) for path in paths}


def silent_tests(modules: dict[str, Module]) -> Iterator[str]:
    """``path::name`` of each test that cannot fail by an assertion."""
    asserting = _asserting(modules)
    for name, module in modules.items():
        if not module.path.name.startswith("test_"):
            continue
        own = [(test, body) for test, body in module.functions.items() if test.startswith("test")]
        own += [(test, body) for test, bodies in module.methods.items() if test.startswith("test_") for body in bodies]
        for test, body in own:
            if not _can_fail(body, module, name, asserting):
                yield f"{module.path.name}::{test}"


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree, read once."""
    return ast.parse(path.read_text())


def _module(path: Path) -> Module:
    found = Module(path)
    tree = tree_of(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, Function):
                    found.methods.setdefault(child.name, []).append(_body(child))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.imported |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    found.functions = {node.name: _body(node) for node in tree.body if isinstance(node, Function)}
    return found


def _body(function: Function) -> Body:
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    called = (node.func for node in nodes if isinstance(node, ast.Call))
    return Body(any(map(_is_assertion, nodes)), frozenset(filter(None, map(_call, called))))


def _call(called: ast.expr) -> tuple[str | None, str] | None:
    if isinstance(called, ast.Name):
        return None, called.id
    if isinstance(called, ast.Attribute):
        return called.value.id if isinstance(called.value, ast.Name) else "", called.attr
    return None


def _is_assertion(node: ast.AST) -> bool:
    """An assert of something that is not constant, or a raised AssertionError."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, (ast.Constant, ast.Tuple))
    return isinstance(node, ast.Raise) and node.exc is not None and "AssertionError" in ast.unparse(node.exc)


def _asserting(modules: dict[str, Module]) -> set[str]:
    """``module.function`` and ``.method`` of what can fail, helpers of helpers included."""
    known: set[str] = set()
    while True:
        found = known | {
            name
            for dotted, module in modules.items()
            for name, body in _named(dotted, module)
            if name not in known and _can_fail(body, module, dotted, known)
        }
        if found == known:
            return known
        known = found


def _named(dotted: str, module: Module) -> Iterator[tuple[str, Body]]:
    yield from ((f"{dotted}.{name}", body) for name, body in module.functions.items())
    yield from ((f".{name}", body) for name, bodies in module.methods.items() for body in bodies)


def _can_fail(body: Body, module: Module, dotted: str, asserting: set[str]) -> bool:
    return body.asserts or any(_fails(owner, name, module, dotted, asserting) for owner, name in body.calls)


def _fails(owner: str | None, name: str, module: Module, dotted: str, asserting: set[str]) -> bool:
    if owner is None:
        package, imported = module.imported.get(name, (dotted, name))
        return imported in FAILING or f"{package}.{imported}" in asserting
    if owner in module.imported:
        package, imported = module.imported[owner]
        return f"{package}.{imported}.{name}" in asserting
    return name in FAILING_METHODS or (owner in {"pytest", "anyio"} and name in FAILING) or f".{name}" in asserting
