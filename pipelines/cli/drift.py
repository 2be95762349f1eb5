"""`adx drift`: whether clusters are still what was delivered to them."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave

if TYPE_CHECKING:
    from pipelines.drift.last import LastCheck
    from workflows.drift.findings import EnvironmentDrift
    from workflows.drift.report import StatusWriter


class ReportTo(StrEnum):
    """Where `adx drift` reports beside the terminal."""

    GITHUB = "github"


def drift(
    ctx: typer.Context,
    environments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENV", help="Environments; all that were delivered if none is given."),
    ] = None,
    report_to: Annotated[
        ReportTo | None, typer.Option("--report-to", help="Set adx/drift/ENV on the delivered commit, too.")
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="Show what the scheduled checks found last; look at no cluster.")
    ] = False,
) -> None:
    """Compare the cluster with what was last delivered. Changes nothing.

    Tells objects that were changed or are missing, and objects with ADX's labels that belong to no unit. While a
    rollout is under way its environment is skipped. Exit status 0 without drift, 1 with drift, 6 when anything could
    not be checked (with --last: or never was), 2 for --last with --report-to.

    \b
    Examples:
      adx drift
      adx drift staging production
      adx drift production --json
      adx drift --last                      since when each unit has drifted
      adx drift --report-to github          in a workflow of GitHub Actions
    """
    invocation = current(ctx)
    if last and report_to is not None:
        raise typer.BadParameter("a status is set by a look at the cluster, not with --last", param_hint="--last")
    if last:
        _show_last(invocation, environments or [])
    else:
        _show_now(invocation, environments or [], report_to)


def _show_now(invocation: Invocation, names: list[str], report_to: ReportTo | None) -> None:
    from pipelines.drift.exit_status import exit_code
    from pipelines.screens.drift import drift_screen

    # First of all: a missing token is told before minutes of work, not after.
    writer = _status_writer(invocation) if report_to is ReportTo.GITHUB else None
    found = asyncio.run(_drift(invocation, names))
    invocation.output.result(found, drift_screen(found))
    if writer is not None:
        for one in found:
            writer.write(one)
    leave(exit_code(found))


def _show_last(invocation: Invocation, names: list[str]) -> None:
    from pipelines.drift.last import last_exit_code
    from pipelines.screens.last_drift import last_drift_screen

    found = asyncio.run(_last(invocation, names))
    invocation.output.result(found, last_drift_screen(found))
    leave(last_exit_code(found))


async def _last(invocation: Invocation, names: list[str]) -> list[LastCheck]:
    from pipelines.cli.connections import ledger
    from pipelines.drift.check import chosen
    from pipelines.drift.last import last_checks

    async with ledger(invocation.settings) as opened:
        return await last_checks(opened, await chosen(opened, names))


async def _drift(invocation: Invocation, names: list[str]) -> list[EnvironmentDrift]:
    import msgspec

    from pipelines.cli.connections import ledger
    from pipelines.drift.check import DriftCheck, chosen

    async with ledger(invocation.settings) as opened:
        known = await chosen(opened, names)
        found = await DriftCheck(opened, _environ(invocation), invocation.output.say).check(known)
    shown = invocation.redactor.text
    return [
        msgspec.structs.replace(
            one, reason=shown(one.reason), next_step=shown(one.next_step), notes=tuple(map(shown, one.notes))
        )
        for one in found
    ]


def _status_writer(invocation: Invocation) -> StatusWriter:
    from workflows.drift.report import StatusWriter

    return StatusWriter.open(_environ(invocation), invocation.redactor.line)


def _environ(invocation: Invocation) -> dict[str, str]:
    """The settings, and around them what CI and the machine set: the PATH, proxies, the hosting's token.

    A workflow sets what it does not know to nothing, which must not hide a default.
    """
    from pipelines.toolchain import with_toolchain

    around = {name: value for name, value in os.environ.items() if value}
    return with_toolchain({**around, **invocation.settings.values})
