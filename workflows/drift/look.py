"""Reads what was applied to the stacks of an environment, and the same objects as they are live. Changes nothing.

One stack after the other: a check must not crowd out a rollout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from infra.engine import Engine, state
from policies.desired_state import DesiredState, Unit
from policies.errors import AdxError
from policies.listing import first_of
from policies.masking import Masker, secrets_in
from policies.placement import part_of, stack_of, stacks_of
from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.normalise import object_id
from workflows.clients.kubernetes.selectors import made_by_adx
from workflows.clients.kubernetes.turns import some_at_once
from workflows.drift.compare import AppliedObject, applied_objects, drifted
from workflows.drift.findings import DriftedObject

UNITS_PER_REQUEST = 100
EngineOf = Callable[[str], Engine]


class StackBusy(AdxError):
    """Something works on the stack: what differs now is no drift."""


class StateOfAnotherDelivery(AdxError):
    """The engine's state is not of what the ledger says was delivered: what it says would be wrong."""


@dataclass(frozen=True)
class Seen:
    """What was applied, by the id of the object, and the live objects that belong to it or to the environment."""

    applied: dict[str, AppliedObject]
    live: dict[str, dict[str, Any]] = field(repr=False)
    masker: Masker = field(repr=False)

    def drift(self) -> tuple[DriftedObject, ...]:
        """What differs, without any value that may be secret. Slow at the first call: make it in a thread."""
        return self._drift

    @cached_property
    def _drift(self) -> tuple[DriftedObject, ...]:
        return drifted(self.applied, list(self.live.values()), self.masker)


async def nothing_between() -> None:
    """For looks that nobody has to interrupt."""


async def look(
    desired: DesiredState,
    engine_of: EngineOf,
    cluster: Cluster,
    *,
    units: Collection[str] | None = None,
    between: Callable[[], Awaitable[None]] = nothing_between,
) -> Seen:
    """Everything of ``desired``, which must be what was delivered last, or only its ``units``.

    ``between`` is awaited before each stack and may raise to end the look. Raises
    StackBusy, StateOfAnotherDelivery, DamagedState and what the cluster raises.
    """
    applied: dict[str, AppliedObject] = {}
    for stack in _stacks(desired, units):
        await between()
        applied |= await _applied(desired, engine_of(stack), stack)
    if units is not None:
        applied = {id_: one for id_, one in applied.items() if one.unit in units}
    live = {object_id(item): item for item in await _live(cluster, desired.environment, applied, units)}
    return Seen(applied, live, await asyncio.to_thread(_masker, desired))


def _masker(desired: DesiredState) -> Masker:
    return Masker(secrets_in(desired.units))


def _stacks(desired: DesiredState, units: Collection[str] | None) -> Sequence[str]:
    if units is None:
        return stacks_of(desired)
    return sorted({stack_of(unit, desired.environment, desired.cells) for unit in units})


async def _applied(desired: DesiredState, engine: Engine, stack: str) -> dict[str, AppliedObject]:
    if engine.is_busy():
        raise StackBusy(f"an operation on {stack} is under way")
    part = part_of(desired, stack).units
    if not part:
        return {}
    export = await engine.state_if_any()
    return await asyncio.to_thread(_read, export, stack, part)  # large, and heartbeats must go on


def _read(export: bytes | None, stack: str, units: Sequence[Unit]) -> dict[str, AppliedObject]:
    """What ``export`` (None: the stack is new) has of ``units``. Raises StateOfAnotherDelivery, DamagedState."""
    _require_delivered(state.delivered(export) if export is not None else state.Delivered(), stack, units)
    return applied_objects(export) if export is not None else {}


def _require_delivered(delivered: state.Delivered, stack: str, units: Sequence[Unit]) -> None:
    """What the stack was given last is what the ledger says; another backend would give another answer."""
    given = delivered.units
    other = sorted(unit.id for unit in units if unit.id not in given or given[unit.id].digest != unit.digest)
    if other:
        raise StateOfAnotherDelivery(
            f"the engine's state of {stack} is not of what was delivered last: {first_of(other, 3)}",
            next_step="check that PULUMI_BACKEND_URL is the backend that delivers this environment",
        )


async def _live(
    cluster: Cluster, environment: str, applied: Mapping[str, AppliedObject], units: Collection[str] | None
) -> list[dict[str, Any]]:
    """Objects with the labels of the environment (and units), and those of ``applied`` that have lost them."""
    found: list[dict[str, Any]] = []
    for selector in _selectors(environment, units):
        found += await cluster.live_objects(selector)
    missing = applied.keys() - set(map(object_id, found))
    # Asked by name: an object without its labels is changed, not missing.
    others = await some_at_once(cluster.find, [applied[id_].body for id_ in sorted(missing)])
    return [*found, *(item for item in others if item is not None)]


def _selectors(environment: str, units: Collection[str] | None) -> Iterator[str]:
    if units is None:
        yield made_by_adx(environment)
        return
    ordered = sorted(units)
    for first in range(0, len(ordered), UNITS_PER_REQUEST):
        yield made_by_adx(environment, units=ordered[first : first + UNITS_PER_REQUEST])
