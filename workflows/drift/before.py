"""What has drifted of the units that a change is about, to be told with its plan.

An apply over such an object may be refused by the API server, or undo what
somebody did on purpose: who approves the plan must know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from policies.change_set import ChangeSet
from policies.desired_state import DesiredState
from policies.errors import AdxError
from workflows.clients.kubernetes import Cluster
from workflows.drift.findings import DriftedObject
from workflows.drift.look import EngineOf, StackBusy, look

OBJECTS_NAMED = 5
FIELDS_NAMED = 3
LONGEST_PATH_CHARACTERS = 80


@dataclass(frozen=True)
class DriftBefore:
    """A line for each object that has drifted, or why nobody could look (``failure``, a sentence)."""

    lines: tuple[str, ...] = ()
    failure: str = ""


async def drift_before(
    delivered: DesiredState | None, change_set: ChangeSet, engine_of: EngineOf, cluster: Cluster
) -> DriftBefore:
    """What has drifted of the units which ``change_set`` changes or removes. A failure never stops the change."""
    units = [one.unit for one in change_set.changes if one.before is not None]
    if delivered is None or not units:
        return DriftBefore()
    try:
        seen = await look(delivered, engine_of, cluster, units=units)
    except StackBusy:
        return DriftBefore()
    except AdxError as error:
        return DriftBefore(failure=f"whether anything has drifted could not be looked at: {error}")
    return DriftBefore(lines_of(await asyncio.to_thread(seen.drift)))  # heartbeats must go on


def lines_of(objects: Sequence[DriftedObject]) -> tuple[str, ...]:
    """``Deployment/cart of service/cart changed: spec.replicas by kubectl-edit``; of many objects the first."""
    lines = [_line(one) for one in objects[:OBJECTS_NAMED]]
    more = len(objects) - OBJECTS_NAMED
    return tuple([*lines, f"{more} more object(s)"] if more > 0 else lines)


def with_drift(summary: str, drift: DriftBefore) -> str:
    """The summary of a change, and what has drifted before it, or why that is not known."""
    told = f"drifted before it: {', '.join(drift.lines)}" if drift.lines else drift.failure
    return f"{summary}; {told}" if told else summary


def _line(one: DriftedObject) -> str:
    fields = [
        f"{field.path[:LONGEST_PATH_CHARACTERS]}{f' by {field.by}' if field.by else ''}"
        for field in one.fields[:FIELDS_NAMED]
    ]
    more = [f"{len(one.fields) - FIELDS_NAMED} more"] if len(one.fields) > FIELDS_NAMED else []
    where = f"{one.kind}/{one.name}" + (f" of {one.unit}" if one.unit else "")
    return f"{where} {one.state}" + (f": {', '.join([*fields, *more])}" if fields else "")
