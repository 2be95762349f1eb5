"""`adx deploy`, `rollback`, `cancel`, `approve`, `restore`: asking for a change and deciding about one."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from pipelines.exit_codes import ExitCode
    from pipelines.following import Follower
    from workflows.client import Workflows
    from workflows.rollout.models import Receipt

Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment, for example production.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay and show every step until it is settled.")]
By = Annotated[
    str,
    typer.Option("--by", envvar="ADX_ACTOR", help="Who decides, for the audit trail.", show_default="the user name"),
]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]


def deploy(
    ctx: typer.Context,
    *,
    environments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENV]...", help="Environments; all that the commit declares if none."),
    ] = None,
    ref: Annotated[str, typer.Option(help="Branch, tag or commit.", show_default="head of the delivered branch")] = "",
    watch: Watch = False,
    force: Annotated[bool, typer.Option(help="Also a quarantined commit, or one that is older.")] = False,
    by: By = "",
) -> None:
    """Deliver a commit to environments.

    Without --ref it is the head of the branch that ADX delivers. The commit must be on that branch of the delivered
    repository: push first.

    \b
    Examples:
      adx deploy staging --watch            the newest commit to staging, step by step
      adx deploy                            the newest commit to every environment
      adx deploy production --ref v1.4.0    a tag
      adx deploy staging --force            a commit that failed before, once more
    """
    invocation = current(ctx)
    commit = commit_of(invocation, ref) if ref else ""
    _run(_deploy(invocation, environments or [], commit, actor(by), force=force, is_watching=watch))


def rollback(
    ctx: typer.Context,
    environment: Environment,
    to: Annotated[
        str, typer.Option(metavar="COMMIT", help="The commit.", show_default="the delivery before this one")
    ] = "",
    watch: Watch = False,
    by: By = "",
) -> None:
    """Bring an environment back to an earlier commit.

    A rollback is a rollout of the old inputs, with snapshot and verification like any other.

    \b
    Examples:
      adx rollback production --watch
      adx rollback production --to 3f2a9c1b04
    """
    invocation = current(ctx)
    commit = commit_of(invocation, to) if to else ""
    _run(_rollback(invocation, environment, commit, actor(by), is_watching=watch))


def cancel(ctx: typer.Context, environment: Environment, reason: Reason = "", by: By = "") -> None:
    """Stop the rollout under way and restore what it did.

    \b
    Example:
      adx cancel staging --reason "wrong version"
    """
    _run(_decide(current(ctx), "cancel", environment, actor(by), reason))


def approve(ctx: typer.Context, environment: Environment, reason: Reason = "", by: By = "") -> None:
    """Agree to the plan of the rollout that waits for it.

    Who may is declared in environment.yaml under approval.approvers.

    \b
    Examples:
      adx status production                 what waits, and for whom
      adx approve production --by ana
    """
    _run(_decide(current(ctx), "approve", environment, actor(by), reason))


def restore(ctx: typer.Context, environment: Environment, reason: Reason = "", by: By = "") -> None:
    """Try the failed restore of a frozen environment again.

    An environment is frozen when a restore could not be verified; it takes no delivery until this succeeds.

    \b
    Example:
      adx restore production --reason "registry answers again"
    """
    _run(_decide(current(ctx), "restore", environment, actor(by), reason))


def actor(by: str) -> str:
    """Who asks: ``--by``, ADX_ACTOR, or the user of this machine."""
    return by or getpass.getuser()


def commit_of(invocation: Invocation, ref: str) -> str:
    """The full commit id that ``ref`` names in the repository at hand. Raises AdxError."""
    from policies.git_tree import resolve_ref

    return resolve_ref(invocation.settings.folder, ref)


def _run(work: Coroutine[Any, Any, ExitCode | None]) -> None:
    """Run ``work`` and leave with the exit status it gives."""
    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    code = asyncio.run(work)
    if code:
        raise typer.Exit(int(code))


async def _deploy(
    invocation: Invocation, names: list[str], commit: str, by: str, *, force: bool, is_watching: bool
) -> ExitCode | None:
    from pipelines.cli.connections import workflows
    from pipelines.following import Follower
    from workflows.intake.models import Intake

    client = await workflows(invocation.settings)
    seen = {name: await _last_rollout(client, name) for name in names}
    taken = await client.deploy(Intake(commit, by, "cli", environments=names, force=force))
    if not is_watching:
        _receipts(invocation, taken.receipts)
        return None
    followers = [
        Follower(receipt.environment, taken.commit, seen=seen.get(receipt.environment, ""))
        for receipt in taken.receipts
    ]
    _say_receipts(invocation, taken.receipts)
    return await _watch(invocation, client, followers)


async def _rollback(
    invocation: Invocation, environment: str, commit: str, by: str, *, is_watching: bool
) -> ExitCode | None:
    from pipelines.cli.connections import workflows
    from pipelines.following import Follower

    client = await workflows(invocation.settings)
    seen = await _last_rollout(client, environment)
    receipt = await client.rollback(environment, commit, by)
    if not is_watching:
        _receipts(invocation, [receipt])
        return None
    return await _watch(invocation, client, [Follower(environment, commit, kind="rollback", seen=seen)])


async def _decide(invocation: Invocation, what: str, environment: str, by: str, reason: str) -> None:
    from pipelines.cli.connections import workflows
    from workflows.rollout.models import Decision

    client = await workflows(invocation.settings)
    act = {"cancel": client.cancel, "approve": client.approve, "restore": client.restore}[what]
    _receipts(invocation, [await act(environment, Decision(by=by, reason=reason))])


async def _last_rollout(client: Workflows, environment: str) -> str:
    last = (await client.environment_status(environment)).last
    return last.rollout_id if last else ""


async def _watch(invocation: Invocation, client: Workflows, followers: list[Follower]) -> ExitCode:
    from pipelines.cli.watching import watch

    try:
        return await watch(client, followers, invocation.output)
    except asyncio.CancelledError:
        names = " ".join(follower.environment for follower in followers)
        invocation.output.say(f"\nno longer watching; the rollout goes on (`adx status {names}`, `adx cancel`)")
        raise


def _receipts(invocation: Invocation, receipts: list[Receipt]) -> None:
    if invocation.is_json:
        invocation.output.json(receipts)
    else:
        _say_receipts(invocation, receipts)


def _say_receipts(invocation: Invocation, receipts: list[Receipt]) -> None:
    from pipelines.screens.common import short

    for receipt in receipts:
        commit = f" {short(receipt.commit)}" if receipt.commit else ""
        invocation.output.say(f"{receipt.environment}{commit}: {receipt.message}")
