"""`adx promote`: a pull request that brings an environment to what another one delivered."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.promotion.model import Promotion
    from pipelines.promotion.promote import Request

LONGEST_REASON = 500


class Only(StrEnum):
    """What `adx promote` is limited to."""

    SERVICES = "services"
    CONFIGURATION = "configuration"
    FLAGS = "flags"


def promote(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The environment that has it.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The environment that is to get it.")],
    *,
    services: Annotated[
        list[str] | None, typer.Option("--service", metavar="NAME", help="Only this one; may be repeated.")
    ] = None,
    only: Annotated[list[Only] | None, typer.Option("--only", help="Only this; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the diff and the gates, propose nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go past gates that are not met; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")] = "",
) -> None:
    """Open a pull request that brings TARGET to the versions and values that SOURCE holds.

    What SOURCE holds is what the ledger says was delivered, not the head of a branch. Replicas, resources, secrets and
    values that TARGET has chosen for itself stay. The gates are those of `promotion` in TARGET's environment.yaml. The
    same promotion again finds its pull request; without a token of the git hosting the branch is left for you.

    Exit status 0 when it is proposed or there is nothing to promote, 1 when a gate is not met, 3 when the result would
    be invalid, 6 when nothing was delivered to SOURCE.

    \b
    Examples:
      adx promote staging production --dry-run
      adx promote staging production --service frontend --service cartservice
      adx promote staging production --only configuration
      adx promote staging production --force --reason "fixes the outage of this morning"
    """
    from pipelines.promotion.promote import Request
    from pipelines.promotion.rules import Wish
    from pipelines.screens.promote import promote_screen

    _check_words(source, target, force=force, reason=reason)
    invocation = current(ctx)
    wish = Wish(source, target, services=frozenset(services or ()))
    if only:
        wish = Wish(source, target, frozenset(one.value for one in only), wish.services)
    request = Request(wish, invocation.settings.actor, reason=reason.strip() if force else "", is_dry_run=dry_run)
    found = asyncio.run(_promote(invocation, request))
    invocation.output.result(found, promote_screen(found, with_diff=dry_run))
    is_held = found.changes and found.blocked_by and not found.forced
    leave(ExitCode.FAILED if is_held else ExitCode.OK)


def _check_words(source: str, target: str, *, force: bool, reason: str) -> None:
    if source == target:
        raise typer.BadParameter("SOURCE and TARGET are the same environment")
    if force and not reason.strip():
        raise typer.BadParameter("--force needs --reason: it stands in the audit trail and in the pull request")
    if reason and not force:
        raise typer.BadParameter("--reason is for --force")
    if len(reason) > LONGEST_REASON:
        raise typer.BadParameter(f"--reason takes {LONGEST_REASON} characters at most")


async def _promote(invocation: Invocation, request: Request) -> Promotion:
    from pipelines.cli.connections import ledger
    from pipelines.promotion.promote import Promoter, hosting_of
    from policies.git_mirror import Mirror

    settings = invocation.settings
    # First of all: a setting of the hosting that is missing is told before anything is done.
    hosting = None if request.is_dry_run else hosting_of(settings.values)
    async with ledger(settings) as opened:
        mirror = await asyncio.to_thread(Mirror.open, settings.repository, settings.home / "mirror", settings.branch)
        return await Promoter(opened, mirror, hosting).promote(request)
