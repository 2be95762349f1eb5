"""`adx fleet`: what a person can say to the waves of a running rollout."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.cli.invocation import Invocation, current
from pipelines.cli.options import By, Environment, Reason, actor

if TYPE_CHECKING:
    from workflows.fleet.durable import FleetStatus
    from workflows.rollout.models import Receipt

Word = Literal["status", "pause", "resume", "approve", "reject", "skip", "retry", "override", "cancel"]
_ABOUT_A_WAVE = ("approve", "reject")
_ABOUT_A_UNIT = ("skip", "retry")


def fleet(
    ctx: typer.Context,
    word: Annotated[Word, typer.Argument(metavar="WORD", help="What to say; see above.", show_default=False)],
    environment: Environment,
    about: Annotated[
        str, typer.Argument(metavar="WAVE|UNIT", help="Which wave or unit, where the word is about one.")
    ] = "",
    *,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Steer the waves of a running rollout.

    \b
    status                  how the waves stand, once (`adx watch` stays)
    pause, resume           start nothing new; go on
    approve, reject [WAVE]  the wave that waits, by one of its approvers
    skip UNIT               leave a unit that has not begun as it is; with a reason
    retry UNIT              deliver a unit again that failed and was restored
    override                start units although a freeze or a window holds them; with a reason
    cancel                  start nothing more, undo nothing; what has begun ends by itself

    A unit is tenant/acme or just acme. A word that does not fit is refused with exit status 1
    and what would fit; 2 where the unit is missing.
    `adx cancel` does the same to waves that have begun; before them it restores the rollout.

    \b
    Examples:
      adx fleet status production
      adx fleet pause production --reason "errors in the canaries"
      adx fleet approve production 2 --by ines.keller
      adx fleet skip production acme --reason "moves next week"
      adx fleet retry production tenant/globex
      adx fleet override production --reason "security fix, agreed with ops"
    """
    if word == "status":
        _refuse_about(word, about)
        _show(current(ctx), environment)
        return
    receipt = asyncio.run(_decide(current(ctx), word, environment, about, by=actor(by), reason=reason))
    current(ctx).output.result(receipt, f"{receipt.environment}: {receipt.message}")


def _show(invocation: Invocation, environment: str) -> None:
    from pipelines.screens.fleet import fleet_screen
    from pipelines.watching.pace import PaceMeter
    from pipelines.watching.view import view_of

    status, now = asyncio.run(_status(invocation, environment)), datetime.now(UTC)
    view = view_of(status, PaceMeter(), now)
    screen = fleet_screen(view, environment, now) if view is not None else "the waves are being planned"
    invocation.output.result(view, screen)


async def _status(invocation: Invocation, environment: str) -> FleetStatus:
    from pipelines.cli.connections import workflows

    return await (await workflows(invocation.settings)).running_fleet(environment)


async def _decide(invocation: Invocation, word: Word, environment: str, about: str, *, by: str, reason: str) -> Receipt:
    from pipelines.cli.connections import workflows
    from workflows.fleet.durable import FleetDecision

    if word in _ABOUT_A_UNIT:
        about = _unit(word, about)
    elif word not in _ABOUT_A_WAVE:
        _refuse_about(word, about)
    client = await workflows(invocation.settings)
    if word in _ABOUT_A_WAVE and not about:
        about = _awaited(await client.running_fleet(environment))
    return await client.decide_fleet(environment, FleetDecision(by, word, about, reason))


def _awaited(status: FleetStatus) -> str:
    """The one wave that can be meant. Raises AdxValidationError when none waits."""
    from workflows.errors import AdxValidationError
    from workflows.fleet.machine import awaited_wave

    found = awaited_wave(status.state) if status.state is not None else ""
    if not found:
        raise AdxValidationError("no wave waits for an approval", next_step="look with `adx fleet status`")
    return found


def _unit(word: Word, about: str) -> str:
    if not about:
        raise typer.BadParameter(f"{word} which unit? For example: adx fleet {word} ENV tenant/acme")
    return about if "/" in about or about == "platform" else f"tenant/{about}"


def _refuse_about(word: Word, about: str) -> None:
    if about:
        raise typer.BadParameter(f"{word} is about the whole rollout, not about {about}")
