"""`adx migrate status`, `run` and `rollback`: every database with its version, its drift, and what an operation did."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.migration_status import DatabaseStatus
from pipelines.output import plain
from pipelines.screens.common import style_of
from pipelines.words import counted
from workflows.migrations.client import Operation

TENANTS_SHOWN = 3
_LOOKS = {
    "as-recorded": ("✓", "green", "as recorded"),
    "drifted": ("✗", "bold red", "drifted from its version"),
    "another-version": ("✗", "bold red", "has another version"),
    "unreachable": ("?", "yellow", "cannot be asked"),
    "not-looked-at": ("·", "dim", "not looked at"),
}


def status_screen(environment: str, found: Sequence[DatabaseStatus]) -> RenderableType:
    """One line for each database, and below it what somebody should know."""
    if not found:
        return plain(f"Nothing was ever migrated in {environment}.")
    parts: list[RenderableType] = []
    for one in found:
        parts += _database(one)
    ill = sum(not one.is_well for one in found)
    text = f"{counted(len(found), 'database')}, {ill} to look at" if ill else f"{counted(len(found), 'database')}"
    parts.append(plain(text, "bold red" if ill else "green"))
    return Group(*parts)


def operation_screen(operation: Operation) -> RenderableType:
    """How it ended, and the databases that there is something to say about."""
    head = Text.assemble(
        plain(operation.outcome, style_of(operation.outcome) or "bold"), plain(f"  {operation.id}", "dim")
    )
    return Group(head, plain(f"  {operation.text}"), *(plain(f"  {line}") for line in operation.details))


def _database(one: DatabaseStatus) -> list[RenderableType]:
    mark, style, words = _LOOKS[one.look]
    version = "version not known" if one.version is None else f"version {one.version}"
    if one.look == "another-version":
        words = f"the ledger says {one.version}, the database {one.found_version}"
    state = "" if one.status == "applied" else f"  {one.status}"
    parts: list[RenderableType] = [
        Text.assemble(
            (f"{mark} ", style),
            plain(one.target, "bold"),
            plain(f"  {one.scripts} {version}"),
            plain(state, style_of(one.status) or "yellow"),
        ),
        plain(f"  {_tenants(one.tenants)}{words}", style if one.look != "as-recorded" else "dim"),
    ]
    if one.reason:
        parts.append(plain(f"  {one.reason}", "yellow"))
    return parts + [plain(f"    {line}") for line in one.drift]


def _tenants(names: Sequence[str]) -> str:
    if not names:
        return "platform; "
    more = f" and {len(names) - TENANTS_SHOWN} more" if len(names) > TENANTS_SHOWN else ""
    return f"{', '.join(names[:TENANTS_SHOWN])}{more}; "
