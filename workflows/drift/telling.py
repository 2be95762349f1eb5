"""Tells what a scheduled check found: the git hosting, where one is configured, and loudly what heals no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from policies.errors import AdxError
from workflows.clients.hosting.errors import HostingMisconfigured
from workflows.drift.findings import EnvironmentDrift, sentence
from workflows.drift.report import StatusWriter, state_of
from workflows.ledger import Ledger, audit, drift
from workflows.ledger.drift import UnitDrift
from workflows.ledger.models import AuditEntry
from workflows.runtime import Runtime
from workflows.telemetry import logs
from workflows.telemetry.redaction import Redactor, known_secrets


async def tell(runtime: Runtime, found: EnvironmentDrift, why_not: str) -> None:
    """Set the status ``adx/drift/<environment>`` where it changed; a hosting that is away is told next time."""
    said = "; ".join(part for part in (sentence(found), f"not healed: {why_not}" if why_not else "") if part)
    state = state_of(found)
    text = f"{found.commit} {state} {said}"
    if state is None or await _was_told(runtime.ledger, found.environment, text):
        return
    try:
        writer = StatusWriter.open(runtime.environ, redactor_of(runtime).line)
    except HostingMisconfigured:  # none is configured
        return
    try:
        await asyncio.to_thread(writer.write, found, said)
    except AdxError as error:
        logs.logger().warning("the status of drift could not be set", environment=found.environment, why=str(error))
    else:
        await drift.told(runtime.ledger, found.environment, text)


def redactor_of(runtime: Runtime) -> Redactor:
    """Takes what this worker knows to be secret out of a text."""
    return Redactor.of(known_secrets(runtime.environ))


async def tell_given_up(ledger: Ledger, units: Iterable[UnitDrift]) -> None:
    """Log an error and write the audit trail for every unit that drifts again and again, once for each series."""
    for one in units:
        logs.logger().error(
            "a unit drifts again and again, and is healed no more",
            environment=one.environment,
            unit=one.unit,
            heals=one.heals,
        )
        entry = AuditEntry(
            key=f"drift.given-up:{one.environment}:{one.unit}:{one.heal_rollout}",
            actor="adx",
            source="drift",
            action="drift.given-up",
            environment=one.environment,
            commit=one.commit,
            detail={"unit": one.unit, "heals": one.heals, "rollout_id": one.heal_rollout},
        )
        await audit.append(ledger, entry)


async def _was_told(ledger: Ledger, environment: str, text: str) -> bool:
    return any(one.told == text for one in await drift.checks(ledger, [environment]))
