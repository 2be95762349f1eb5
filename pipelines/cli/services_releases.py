"""`adx services releases|promote|abort|switch-back`: which releases were delivered, and what a person says to them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current
from pipelines.cli.options import By, Environment, Reason, actor

if TYPE_CHECKING:
    from pipelines.services.releases import ServiceReleases
    from pipelines.watching.releases import ReleaseView
    from workflows.client import Workflows
    from workflows.ledger.models import Rollout
    from workflows.rollout.models import Receipt
    from workflows.services.models import ReleaseDecision

LONGEST_LIST = 1000

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="The service, for example cart.")]


def releases(
    ctx: typer.Context,
    environment: Annotated[
        str | None, typer.Argument(metavar="ENV", help="The environment; all if none is given.")
    ] = None,
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="The service; all if none is given.")] = None,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LONGEST_LIST, help="How many of each service.")] = 5,
) -> None:
    """List the releases of services, newest first: version, when, commit, how it ended, in which rollout.

    What was delivered comes from the ledger, which knows every change of a service's inputs. Of a rollout that runs
    also the release under way, with its phase and who has which share of the requests; that comes from Temporal.

    Exit status 6 when the ledger knows no such environment or service.

    \b
    Examples:
      adx services releases
      adx services releases production cart --limit 20
      adx services releases production --json
    """
    from datetime import UTC, datetime

    from pipelines.screens.services_releases import service_releases_screen

    found = asyncio.run(_releases(current(ctx), environment, service, limit))
    current(ctx).output.result(found, service_releases_screen(found, datetime.now(UTC)))


def promote(
    ctx: typer.Context,
    environment: Environment,
    service: Service,
    *,
    full: Annotated[bool, typer.Option("--full", help="Past all that is left, to every request.")] = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """End the bake under way of a service's new release as passed.

    The release goes on with its next step; with --full at once to all requests, and no bake is waited for. What the
    analysis would have found is not found out then. Refused with exit status 1 when the service is not changing its
    release.

    \b
    Examples:
      adx services promote production cart --reason "numbers look good"
      adx services promote production cart --full --reason "security fix" --by ines.keller
    """
    from workflows.services.models import ReleaseDecision

    _decide(ctx, environment, ReleaseDecision(actor(by), "promote", service, reason, is_full=full))


def abort(
    ctx: typer.Context,
    environment: Environment,
    service: Service,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")],
    by: By = "",
) -> None:
    """Take a service's new release back while it is under way.

    All requests go back to the old release at once. The rollout has failed then: services that were raised with this
    one are taken back too, and everything is restored. Refused with exit status 1 when the service is not changing
    its release.

    \b
    Example:
      adx services abort production cart --reason "orders are missing"
    """
    from workflows.services.models import ReleaseDecision

    if not reason.strip():
        raise typer.BadParameter("say why, for example --reason 'orders are missing'")
    _decide(ctx, environment, ReleaseDecision(actor(by), "abort", service, reason))


def switch_back(ctx: typer.Context, environment: Environment, *, reason: Reason = "", by: By = "") -> None:
    """Go back to the old releases of a rollout while they are kept: of all its services at once.

    It is about the whole rollout, since services that were raised together are taken back together. The old releases
    still run, so they answer within moments; then everything else is restored. `adx watch` says until when they are
    kept. Refused with exit status 1 when none is; `adx rollback` goes back without them.

    \b
    Example:
      adx services switch-back production --reason "payments fail since 14:05"
    """
    from workflows.services.models import ReleaseDecision

    _decide(ctx, environment, ReleaseDecision(actor(by), "switch-back", "", reason))


def _decide(ctx: typer.Context, environment: str, decision: ReleaseDecision) -> None:
    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    receipt = asyncio.run(_ask(current(ctx), environment, decision))
    current(ctx).output.result(receipt, f"{receipt.environment}: {receipt.message}")


async def _ask(invocation: Invocation, environment: str, decision: ReleaseDecision) -> Receipt:
    from pipelines.cli.connections import workflows

    return await (await workflows(invocation.settings)).decide_release(environment, decision)


async def _releases(
    invocation: Invocation, environment: str | None, service: str | None, limit: int
) -> tuple[ServiceReleases, ...]:
    from pipelines.cli.connections import ledger
    from pipelines.services.releases import delivered_releases, refuse_missing, with_under_way
    from workflows.ledger import rollouts

    async with ledger(invocation.settings) as opened:
        delivered = await delivered_releases(opened, environment, service, limit)
        running = await rollouts.unfinished(opened, environment)
        under_way = await _under_way(invocation, running) if running else {}
        found = with_under_way(delivered, under_way, service)
        if service is not None and not found:
            await refuse_missing(opened, environment, service)
        return found


async def _under_way(invocation: Invocation, running: Sequence[Rollout]) -> dict[str, tuple[ReleaseView, ...] | None]:
    """By environment the releases of ``running``; None, with a line that says so, where Temporal is away."""
    from pipelines.cli.connections import workflows
    from pipelines.settings import SettingsError
    from workflows.errors import AdxConnectionError

    try:
        client = await workflows(invocation.settings)
        return {rollout.environment: await _views(client, rollout) for rollout in running}
    except (AdxConnectionError, SettingsError) as error:
        invocation.output.say(f"what is under way is not shown: {error}", "yellow")
        return dict.fromkeys(rollout.environment for rollout in running)


async def _views(client: Workflows, rollout: Rollout) -> tuple[ReleaseView, ...]:
    from pipelines.watching.releases import as_rollout_has_it, releases_view

    live = await client.status(rollout.environment)
    status = live.rollout
    if status is None or status.rollout_id != rollout.id or status.outcome:  # not begun, or ended meanwhile
        return ()
    found = await client.release_statuses(rollout.id, status.releasing)
    view = releases_view(status, [as_rollout_has_it(status, live.restore_steps, one) for one in found])
    return view.releases if view is not None else ()
