"""A person's word, as it arrives in an update, on the state of a fleet rollout. Pure."""

from __future__ import annotations

from datetime import datetime

from temporalio.exceptions import ApplicationError

from policies.errors import AdxError
from workflows.fleet import decisions
from workflows.fleet.durable import FleetDecision
from workflows.fleet.models import FleetState


def reason_of(decision: FleetDecision) -> str:
    """For the audit trail: what it is about, and why."""
    return ": ".join(part for part in (decision.about, decision.reason) if part)


def decided(state: FleetState, decision: FleetDecision, now: datetime) -> FleetState:
    """The state after the decision. Raises ApplicationError when it does not fit."""
    by, about, reason = decision.by, decision.about, decision.reason
    try:
        match decision.what:
            case "pause":
                return decisions.pause(state, by, now, reason=reason)
            case "resume":
                return decisions.resume(state, by, now, reason=reason)
            case "approve":
                return decisions.approve(state, about, by, now, reason=reason)
            case "reject":
                return decisions.reject(state, about, by, now, reason=reason)
            case "skip":
                return decisions.skip(state, about, by, now, reason=reason)
            case "retry":
                return decisions.retry(state, about, by, now, reason=reason)
            case "override":
                return decisions.override_hold(state, by, now, reason=reason)
            case "cancel":
                return decisions.cancel(state, by, now, reason=reason)
    except AdxError as error:
        raise ApplicationError(f"{error}; {error.next_step}".strip("; "), type="Refused") from error
    raise ApplicationError(f"nobody can {decision.what} a rollout", type="Refused")
