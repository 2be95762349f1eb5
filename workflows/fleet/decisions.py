"""What people may say to a running fleet rollout. Pure.

Each returns the new state, in which the decision is recorded, or raises
DecisionRefused and changes nothing. Who ``by`` is, is for the caller to know;
each decision that is taken belongs into the audit trail of the ledger, since
the state keeps the last ones only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.errors import AdxError
from workflows.fleet.machine import awaited_wave
from workflows.fleet.models import FAILED, KEPT_RECORDS, NEEDS_OPERATOR, PENDING, SKIPPED, DecisionTaken, FleetState
from workflows.fleet.state import (
    MAX_REASON,
    approvers_named,
    closed_at,
    ended,
    mark_of,
    marked,
    place_of,
    seconds,
)

MAX_NAME = 100
NOBODY = "nobody"


class DecisionRefused(AdxError):
    """The decision does not fit the rollout as it is; nothing was changed."""


def pause(state: FleetState, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Start nothing, check nothing, open no wave until resumed; what is under way is finished."""
    _check_running(state)
    if state.is_paused:
        raise DecisionRefused("the rollout is paused already", next_step="resume it when it may go on")
    return _taken(replace(state, is_paused=True), by, now, "pause", reason=reason)


def resume(state: FleetState, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Go on after a pause."""
    _check_running(state)
    if not state.is_paused:
        raise DecisionRefused("the rollout is not paused", next_step="ask for its status to see what it waits for")
    return _taken(replace(state, is_paused=False), by, now, "resume", reason=reason)


def approve(state: FleetState, wave: str, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Let ``wave`` begin; ``by`` must be an approver."""
    _check_awaited(state, wave)
    by = _approver(state, by)
    return _taken(replace(state, approved=[*state.approved, wave]), by, now, "approve", about=wave, reason=reason)


def reject(state: FleetState, wave: str, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Do not let ``wave`` begin: the rollout ends, and what is delivered stays."""
    _check_awaited(state, wave)
    by = _approver(state, by)
    state = ended(state, "rejected", f"{by} rejected wave {wave}{f': {reason}' if reason else ''}")
    return _taken(state, by, now, "reject", about=wave, reason=reason)


def approval_expired(state: FleetState, wave: str, now: datetime) -> FleetState:
    """Nobody approved ``wave`` in time: the rollout ends. Comes from a timer; too late it changes nothing."""
    if awaited_wave(state) != wave or not wave:
        return state
    state = ended(state, "approval-expired", f"approval_expired: nobody approved wave {wave} in time")
    return _taken(state, NOBODY, now, "expire", about=wave)


def skip(state: FleetState, unit: str, by: str, now: datetime, *, reason: str) -> FleetState:
    """Leave ``unit``, which has not been started, as it is; services that it may call do not go away then."""
    _check_running(state)
    _check_reason(reason, "skipping a unit")
    if mark_of(state, unit) != PENDING:
        raise DecisionRefused(f"{unit} has been started already", next_step="skip only units that have not")
    return _taken(marked(state, [place_of(state, unit)], SKIPPED), by, now, "skip", about=unit, reason=reason)


def retry(state: FleetState, unit: str, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Deliver ``unit``, which failed and was restored, once more; it is proven with the current wave."""
    _check_running(state)
    mark = mark_of(state, unit)
    if mark == NEEDS_OPERATOR:
        raise DecisionRefused(f"{unit} could not be restored", next_step="restore it first, then retry it")
    if mark != FAILED:
        raise DecisionRefused(f"{unit} has not failed", next_step="retry only units that failed and were restored")
    return _taken(marked(state, [place_of(state, unit)], PENDING), by, now, "retry", about=unit, reason=reason)


def supersede(state: FleetState, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """Make way for a newer rollout: start nothing more, let what is under way finish, restore nothing."""
    _check_running(state)
    state = ended(state, "superseded", f"superseded by {by}{f': {reason}' if reason else ''}")
    return _taken(state, by, now, "supersede", reason=reason)


def cancel(state: FleetState, by: str, now: datetime, *, reason: str = "") -> FleetState:
    """End the rollout: what is under way ends as it ends, what is delivered stays."""
    _check_running(state)
    state = ended(state, "cancelled", f"cancelled by {by}{f': {reason}' if reason else ''}")
    return _taken(state, by, now, "cancel", reason=reason)


def override_hold(state: FleetState, by: str, now: datetime, *, reason: str) -> FleetState:
    """Start units although a freeze, or the lack of a window, holds the rollout now; until that hold is over."""
    _check_running(state)
    _check_reason(reason, "an override")
    closed = closed_at(state, seconds(now))
    if closed is None:
        raise DecisionRefused("nothing holds the rollout now", next_step="override a freeze while it holds")
    state = replace(state, overridden_until=closed.ends_at)
    return _taken(state, by, now, "override", about=closed.why, reason=reason)


def _check_running(state: FleetState) -> None:
    if state.outcome is not None:
        raise DecisionRefused(
            f"the rollout has ended: {state.outcome}", next_step="submit the commit again for another rollout"
        )
    if state.ending:
        raise DecisionRefused(
            f"the rollout is ending: {state.ending_reason}", next_step="wait for its end, then submit again"
        )


def _check_awaited(state: FleetState, wave: str) -> None:
    _check_running(state)
    awaited = awaited_wave(state)
    if not awaited or awaited != wave:
        what = f"wave {awaited} does" if awaited else "no wave does"
        raise DecisionRefused(f"wave {wave} does not wait for an approval, {what}", next_step="look at its status")


def _approver(state: FleetState, by: str) -> str:
    """Who approves, and by which right. Nobody's name has a colon: a role that nobody has is written with one."""
    if by not in state.limits.approvers or ":" in by:
        allowed = approvers_named(state) or NOBODY
        raise DecisionRefused(f"{by} may not approve waves", next_step=f"ask one of: {allowed}")
    role = state.limits.roles.get(by)
    return f"{by} ({role})" if role else by


def _check_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise DecisionRefused(f"{what} needs a reason", next_step="say why: it is kept in the audit trail")


def _taken(state: FleetState, by: str, now: datetime, what: str, *, about: str = "", reason: str = "") -> FleetState:
    taken = DecisionTaken(seconds(now), by[:MAX_NAME], what, about[:MAX_REASON], reason[:MAX_REASON])
    return replace(state, decisions=[*state.decisions, taken][-KEPT_RECORDS:])
