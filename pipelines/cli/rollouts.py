"""`adx deploy`, `rollback`, `cancel`, `approve`, `restore`: asking for a change and deciding about one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.cli.options import By, Environment, Reason, actor
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.following import Follower
    from pipelines.output import Output
    from pipelines.rollout_reporting import RolloutReporter
    from workflows.client import Workflows
    from workflows.rollout.models import Receipt

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay and show every step until it is settled.")]


@dataclass(frozen=True)
class Watching:
    """How a delivery is followed: at all, reported where, and for how long at most (None: to its end)."""

    is_wanted: bool
    report_to: str | None = None
    timeout_minutes: float | None = None


def deploy(
    ctx: typer.Context,
    *,
    environments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENV", help="Environments; all that the commit declares if none."),
    ] = None,
    ref: Annotated[str, typer.Option(help="Branch, tag or commit.", show_default="head of the delivered branch")] = "",
    watch: Watch = False,
    force: Annotated[bool, typer.Option(help="Also a quarantined commit, or one that is older.")] = False,
    by: By = "",
    report_to: Annotated[
        str | None, typer.Option("--report-to", metavar="HOST", help="With --watch: tell there too (github).")
    ] = None,
    timeout_minutes: Annotated[
        float | None, typer.Option("--timeout-minutes", min=0, help="With --watch: stop watching then.")
    ] = None,
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
      adx deploy --ref "$GITHUB_SHA" --watch --report-to github --timeout-minutes 60
    """
    invocation = current(ctx)
    commit = commit_of(invocation, ref) if ref else ""
    watching = Watching(is_wanted=watch, report_to=report_to, timeout_minutes=timeout_minutes)
    _run(_deploy(invocation, environments or [], commit, actor(by), force=force, watching=watching))


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


def commit_of(invocation: Invocation, ref: str) -> str:
    """The full commit id that ``ref`` names in the repository at hand. Raises AdxError."""
    from policies.git_tree import resolve_ref

    return resolve_ref(invocation.settings.folder, ref)


def _run(work: Coroutine[Any, Any, ExitCode | None]) -> None:
    """Run ``work`` and leave with the exit status it gives."""

    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    leave(asyncio.run(work) or ExitCode.OK)


async def _deploy(
    invocation: Invocation, names: list[str], commit: str, by: str, *, force: bool, watching: Watching
) -> ExitCode | None:
    from pipelines.cli.connections import workflows
    from pipelines.following import Follower
    from workflows.intake.models import Intake

    client = await workflows(invocation.settings)
    seen = {name: await _last_rollout(client, name, invocation.output) for name in names}
    taken = await client.deploy(Intake(commit, by, "cli", environments=names, force=force))
    if not watching.is_wanted:
        _receipts(invocation, taken.receipts)
        return None
    followers = [
        Follower(receipt.environment, taken.commit, seen=seen.get(receipt.environment, ""))
        for receipt in taken.receipts
    ]
    _say_receipts(invocation, taken.receipts)
    return await _watch_reporting(invocation, client, followers, taken.commit, watching)


async def _rollback(
    invocation: Invocation, environment: str, commit: str, by: str, *, is_watching: bool
) -> ExitCode | None:
    from pipelines.cli.connections import workflows
    from pipelines.cli.watching import watch_to_the_end
    from pipelines.following import Follower

    client = await workflows(invocation.settings)
    seen = await _last_rollout(client, environment, invocation.output)
    receipt = await client.rollback(environment, commit, by)
    if not is_watching:
        _receipts(invocation, [receipt])
        return None
    followers = [Follower(environment, commit, kind="rollback", seen=seen)]
    return await watch_to_the_end(client, followers, invocation.output)


async def _decide(invocation: Invocation, what: str, environment: str, by: str, reason: str) -> None:
    from pipelines.cli.connections import workflows
    from workflows.rollout.models import Decision

    client = await workflows(invocation.settings)
    act = {"cancel": client.cancel, "approve": client.approve, "restore": client.restore}[what]
    _receipts(invocation, [await act(environment, Decision(by=by, reason=reason))])


async def _last_rollout(client: Workflows, environment: str, output: Output) -> str:
    from pipelines.cli.watching import first_answer

    last = (await first_answer(lambda: client.environment_status(environment), output)).last
    return last.rollout_id if last else ""


async def _watch_reporting(
    invocation: Invocation, client: Workflows, followers: list[Follower], commit: str, watching: Watching
) -> ExitCode:
    """Watch, for a time if one is given, and tell the git hosting if one is named."""
    from pipelines.cli.watching import watch_to_the_end

    reporter = _rollout_reporter(invocation, commit, watching.report_to)
    limit_seconds = watching.timeout_minutes * 60 if watching.timeout_minutes is not None else None
    try:
        async with asyncio.timeout(limit_seconds):
            tell = reporter.tell if reporter else None
            code = await watch_to_the_end(client, followers, invocation.output, tell)
    except TimeoutError:
        invocation.output.say(f"still under way after {watching.timeout_minutes:g} min; run the same command to go on")
        is_waiting = all(
            one.is_ended or (one.rollout and (one.rollout.waiting_for_approval or one.rollout.held_until))
            for one in followers
        )
        code = ExitCode.OK if is_waiting else ExitCode.FAILED
    if reporter is not None and reporter.error is not None:
        raise reporter.error
    return code


def _rollout_reporter(invocation: Invocation, commit: str, host: str | None) -> RolloutReporter | None:
    """Who tells the git hosting; None when nobody is to. Raises AdxError when a setting is missing."""
    from pipelines.reporting import reporter_for

    found = reporter_for(invocation, host, commit)
    if found.hosting is None:
        return None
    from pipelines.rollout_reporting import RolloutReporter, commits_to_tell

    commits = commits_to_tell(found.hosting, commit)
    return RolloutReporter(found.hosting, commits, found.link, invocation.redactor.text)


def _receipts(invocation: Invocation, receipts: list[Receipt]) -> None:
    if invocation.is_json:
        invocation.output.json(receipts)
    else:
        _say_receipts(invocation, receipts)


def _say_receipts(invocation: Invocation, receipts: list[Receipt]) -> None:
    from pipelines.words import short

    for receipt in receipts:
        commit = f" {short(receipt.commit)}" if receipt.commit else ""
        invocation.output.say(f"{receipt.environment}{commit}: {receipt.message}")
