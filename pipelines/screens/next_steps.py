"""What a person does next about a rollout that left something undone: a sentence with the commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.ledger.models import Rollout
from workflows.rollout.models import RolloutStatus
from workflows.rollout.step_names import TENANTS_STEP


def frozen(environment: str, reason: str) -> str:
    """Why nothing is delivered to the environment, and what ends that."""
    return f"{environment} is frozen: {reason}; {_thawing(environment)}"


def after_rollout(rollout: Rollout, newest: str, lost: Sequence[str] = ()) -> str:
    """What follows from the end of ``rollout``; empty where nothing does, or where its failure says it.

    ``newest`` is the id of the environment's newest rollout: every command is
    about what that one left. ``lost`` are ids of units that are neither new nor
    as before.
    """
    what = _after(rollout, lost)
    return what if not what or newest == rollout.id else f"a later rollout has followed: `adx show {newest}`"


def _after(rollout: Rollout, lost: Sequence[str]) -> str:
    if rollout.status == "needs-operator":
        return _thawing(rollout.environment)
    if rollout.status != "partly-delivered":
        return ""
    step = str((rollout.failure or {}).get("step", ""))
    return _about_rest(rollout.environment, rollout.kind, step, lost)


def left_undone(status: RolloutStatus, lost: Sequence[str] = ()) -> str:
    """The same of a rollout that is watched, but for the frozen environment, which is told by itself."""
    if status.outcome != "partly-delivered":
        return ""
    return _about_rest(status.environment, status.kind, status.failed_step, lost)


def _thawing(environment: str) -> str:
    return f"after a look, run `adx restore {environment}`"


def _about_rest(environment: str, kind: str, step: str, lost: Sequence[str]) -> str:
    if kind == "heal":
        return f"`adx drift {environment}` shows what still differs, and who has set it"
    if step == TENANTS_STEP:
        return _about_tenants(environment, lost)
    databases = f"`adx migrate run {environment}` brings the databases that lag behind"
    return f"{databases}; {_about_tenants(environment, lost)}" if lost else databases


def _about_tenants(environment: str, lost: Sequence[str]) -> str:
    commands = (
        f"`adx deploy {environment} --force` tries again what is not new, "
        f"`adx rollback {environment}` takes back what is"
    )
    return f"{_look_first(environment, lost)}; then {commands}" if lost else commands


def _look_first(environment: str, lost: Sequence[str]) -> str:
    more = f", and at {len(lost) - 1} more," if len(lost) > 1 else ""
    return f"look at {lost[0]}{more} first (`adx history {environment} --unit {lost[0]}`)"
