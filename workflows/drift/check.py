"""Compares one environment with what the ledger says was delivered to it.

What cannot be found out becomes the result: the other environments are still told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from policies.desired_state import DesiredState
from policies.errors import AdxError
from workflows.bodies import Bodies
from workflows.clients.kubernetes import Cluster
from workflows.drift.findings import EnvironmentDrift
from workflows.drift.look import EngineOf, Seen, StackBusy, look
from workflows.ledger import Ledger, rollouts
from workflows.ledger.models import Environment

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sources:
    """Where a check looks."""

    ledger: Ledger
    bodies: Bodies
    engine_of: EngineOf
    cluster: Cluster


@dataclass(frozen=True)
class Checked:
    """What was found; ``seen`` and ``desired`` only where the environment was compared."""

    found: EnvironmentDrift
    desired: DesiredState | None = None
    seen: Seen | None = field(default=None, repr=False)


async def check(sources: Sources, known: Environment, say: Say) -> Checked:
    """Compare the whole environment, unless a rollout holds it. Raises only what the ledger raises."""
    name, commit = known.name, known.delivered_commit
    if commit is None or known.delivered_state_digest is None:
        return Checked(
            EnvironmentDrift(environment=name, status="nothing-delivered", reason="nothing was delivered yet")
        )
    newest, busy = await _newest(sources.ledger, name), await _under_way(sources.ledger, name)
    if busy:
        return Checked(under_way(known, busy))
    say(f"{name}: comparing with the cluster what was delivered from {commit[:12]}")
    try:
        checked = await _compare(sources, known, known.delivered_state_digest)
    except AdxError as error:
        checked = Checked(unchecked(known, error))
    # A rollout that began meanwhile may be what was seen, or why it could not be.
    after, busy = await _newest(sources.ledger, name), await _under_way(sources.ledger, name)
    return checked if after == newest and not busy else Checked(under_way(known, busy or after))


def under_way(known: Environment, rollout: str) -> EnvironmentDrift:
    """The environment is skipped: a rollout (its id, where it is known) holds it."""
    return EnvironmentDrift(
        environment=known.name,
        status="rollout-under-way",
        commit=known.delivered_commit or "",
        rollout=rollout,
        reason="a rollout is under way: what differs is no drift",
    )


def unchecked(known: Environment, error: AdxError) -> EnvironmentDrift:
    """The environment could not be compared."""
    return EnvironmentDrift(
        environment=known.name,
        status="unchecked",
        commit=known.delivered_commit or "",
        reason=str(error),
        next_step=error.next_step,
    )


async def _newest(ledger: Ledger, environment: str) -> str:
    """The id of the newest rollout; empty where there is none."""
    newest = await rollouts.newest(ledger, environment, limit=1)
    return newest[0].id if newest else ""


async def _under_way(ledger: Ledger, environment: str) -> str:
    """The id of the rollout under way; empty where there is none."""
    unfinished = await rollouts.unfinished(ledger, environment)
    return unfinished[-1].id if unfinished else ""


async def _compare(sources: Sources, known: Environment, digest: str) -> Checked:
    desired = await sources.bodies.get(digest, DesiredState, known.name)

    async def between() -> None:
        if await _under_way(sources.ledger, known.name):
            raise StackBusy(f"a rollout of {known.name} began")

    try:
        seen = await look(desired, sources.engine_of, sources.cluster, between=between)
    except StackBusy:
        return Checked(under_way(known, await _under_way(sources.ledger, known.name)))
    objects = await asyncio.to_thread(seen.drift)  # of thousands of objects: heartbeats must go on
    found = EnvironmentDrift(
        environment=known.name,
        status="drifted" if objects else "as-delivered",
        commit=known.delivered_commit or "",
        objects=objects,
        compared=len(seen.applied),
        notes=(f"frozen: {known.frozen_reason}",) if known.frozen_reason else (),
    )
    return Checked(found, desired, seen)
