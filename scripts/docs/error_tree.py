"""The page of exit statuses and expected errors, read from the exception classes themselves."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipelines.cli.group import exit_status
from pipelines.exit_codes import MEANINGS
from policies.errors import AdxError
from scripts.docs.markdown import cell, code, prose, table
from workflows.retry import CONNECTION, OTHER, TIMEOUT, VALIDATION, RetryRule, classify

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("policies", "infra", "workflows", "pipelines")
_ORIGIN = """\
Made from the classes. Every expected error says what happened, where, why and what to do next; its text is for people
and may change, its name and status are for programs."""
_CLASSES = {
    VALIDATION: "never: the input stays wrong",
    CONNECTION: "soon: a server was not reached, or dropped the connection",
    TIMEOUT: "a little later: no answer in time",
    OTHER: "what is none of these",
}


def render() -> str:
    """The page."""
    lines = [
        "# Exit statuses and errors",
        "",
        _ORIGIN,
        "",
        "## Exit statuses",
        "",
        *table(("status", "means"), ((code(str(status.value)), meaning) for status, meaning in MEANINGS.items())),
        "## What a rollout tries again",
        "",
        "By the class of the error, never by its text. Delays double from one attempt to the next.",
        "",
        *table(("class", "tried again", "attempts", "first delay"), map(_rule, _CLASSES)),
        "## Errors",
        "",
    ]
    return "\n".join([*lines, *table(("error", "means", "class", "exit status"), map(_row, errors()))])


@cache
def errors() -> tuple[type[AdxError], ...]:
    """Every expected error of the product, by module and name."""
    for name in sorted(_modules()):
        importlib.import_module(name)
    return tuple(
        sorted(
            set(_below(AdxError)), key=lambda error: (PACKAGES.index(_package(error)), _place(error), error.__name__)
        )
    )


def _modules() -> set[str]:
    """Modules that define an error, found by the names of bases: to import all others would take long for nothing."""
    classes = {
        (name, node.name): {base.id if isinstance(base, ast.Name) else base.attr for base in _named(node)}
        for name, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {AdxError.__name__}
    while found := {name for (_, name), bases in classes.items() if bases & known} - known:
        known |= found
    return {module for (module, name), bases in classes.items() if bases & known}


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_bytes()
            if b"class " in text:
                yield ".".join(file.relative_to(ROOT).with_suffix("").parts), ast.parse(text)


def _named(node: ast.ClassDef) -> list[ast.Name | ast.Attribute]:
    return [base for base in node.bases if isinstance(base, ast.Name | ast.Attribute)]


def _below(error: type[AdxError]) -> Iterator[type[AdxError]]:
    for inner in error.__subclasses__():
        if _package(inner) in PACKAGES:
            yield inner
            yield from _below(inner)


def _row(error: type[AdxError]) -> tuple[str, ...]:
    bare = error.__new__(error)  # status and rule are asked of an instance; what it says does not matter
    said = cell(prose((error.__doc__ or "").split("\n\n")[0]))
    return (code(error.__name__), f"{said} {code(_place(error))}", classify(bare).name, code(str(exit_status(bare))))


def _rule(rule: RetryRule) -> tuple[str, ...]:
    delay = f"{rule.first_delay_seconds:g} s" if rule.attempts > 1 else "–"
    return (rule.name, _CLASSES[rule], str(rule.attempts), delay)


def _place(error: type[AdxError]) -> str:
    return error.__module__.replace(".", "/") + ".py"


def _package(error: type[AdxError]) -> str:
    return error.__module__.split(".")[0]
