"""Unit by unit: what the ledger says, what the cluster has, what Git declares and what the engine remembers are one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from infra.engine import Engine, EngineSettings
from infra.metadata import MANAGED_BY
from infra.render import render_unit
from policies.desired_state import DesiredState, Unit
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from policies.masking import Masker
from policies.placement import part_of, stacks_of
from tests.support import processes
from workflows.bodies import Bodies
from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL, object_id
from workflows.drift.compare import AppliedObject, drifted
from workflows.ledger import environments, rollouts, units
from workflows.ledger.models import UnitRecord
from workflows.snapshots import open_store

if TYPE_CHECKING:
    from tests.delivery.delivery import Delivery

SETTLED = frozenset({"applied", "restored", "removed"})
GONE_WITHIN_SECONDS = 60


async def agreement(delivery: Delivery) -> dict[str, UnitRecord]:
    """What the ledger says of each tenant, once it is certain that nobody says otherwise.

    Asserts that nothing is under way or frozen, and that every unit is whole:

    - the ledger's digest is that of the state which it says is delivered, and of the unit in the commit it names;
    - the cluster has every object of the unit field by field, and none besides;
    - the engine's stacks remember the same digests, with nothing pending and no lock.
    """
    ledger, environment = delivery.ledger, delivery.environment
    found = await environments.find(ledger, environment)
    assert found is not None
    assert found.frozen_reason is None
    assert await rollouts.unfinished(ledger, environment) == ()
    assert found.delivered_state_digest is not None
    bodies = Bodies(open_store(delivery.environ))
    state = await bodies.get(found.delivered_state_digest, DesiredState, environment)
    known = {unit.unit: unit for unit in await units.units_of(ledger, environment)}

    assert_ledger_says(known, state)
    assert_declared(delivery.shop.remote, state)
    await assert_in_cluster(delivery.cluster, state)
    await assert_no_engine_left(delivery.environ["PULUMI_BACKEND_URL"])
    await assert_remembered(EngineSettings.from_environment(delivery.environ), state)
    assert delivery.lock_files() == []
    return {name: unit for name, unit in known.items() if name.startswith("tenant/")}


def applied_at(known: Mapping[str, UnitRecord], commit: str) -> set[str]:
    """The tenants that are what ``commit`` has brought."""
    return {name for name, unit in known.items() if unit.commit == commit and unit.status == "applied"}


def assert_ledger_says(known: Mapping[str, UnitRecord], state: DesiredState) -> None:
    """Every unit is applied or restored as the delivered state has it, every other one is removed."""
    delivered = {unit.id: unit for unit in state.units}
    assert {name: unit.status for name, unit in known.items() if unit.status not in SETTLED} == {}
    assert {name for name, unit in known.items() if unit.status != "removed"} == delivered.keys()
    wrong = {
        name: (known[name].digest, unit.digest, known[name].commit, unit.commit)
        for name, unit in delivered.items()
        if (known[name].digest, known[name].commit) != (unit.digest, unit.commit)
    }
    assert wrong == {}


def assert_declared(repository: Path, state: DesiredState) -> None:
    """Every unit is what the commit declares that it is said to come from: no mixture of two commits."""
    declared: dict[str, Mapping[str, Unit]] = {}
    for unit in state.units:
        if unit.commit not in declared:
            resolved = resolve_commit(GitTree.open(repository, unit.commit), state.environment, None)
            declared[unit.commit] = resolved.by_id()
        assert declared[unit.commit][unit.id].digest == unit.digest, unit.id


async def assert_in_cluster(cluster: Cluster, state: DesiredState) -> None:
    """Every object of every unit, field by field; nothing else carries the environment's label, nothing is going."""
    selector = f"app.kubernetes.io/managed-by={MANAGED_BY},{ENVIRONMENT_LABEL}={state.environment}"
    live = await cluster.live_objects(selector)
    bodies = [(unit.id, body) for unit in state.units for body in render_unit(unit)]
    declared = {object_id(body): AppliedObject(unit=unit, body=body) for unit, body in bodies}
    assert drifted(declared, live, Masker()) == ()
    assert [object_id(item) for item in live if item["metadata"].get("deletionTimestamp")] == []


async def assert_remembered(settings: EngineSettings, state: DesiredState) -> None:
    """The outputs of each stack, and that nothing is under way in it."""
    for stack in stacks_of(state):
        engine = Engine(settings, stack)
        assert not engine.is_busy(), stack
        assert await engine.pending_operations() == 0, stack
        remembered = {name: unit.digest for name, unit in (await engine.delivered()).units.items()}
        assert remembered == {unit.id: unit.digest for unit in part_of(state, stack).units}, stack


async def assert_no_engine_left(backend_url: str) -> None:
    """Nothing works on this backend any more; an engine that was interrupted may just be ending."""
    async with asyncio.timeout(GONE_WITHIN_SECONDS):
        while engine_processes(backend_url, "pulumi", "pulumi-resource-kubernetes", "pulumi-language-python"):
            await asyncio.sleep(0.1)


def engine_processes(backend_url: str, *names: str) -> list[psutil.Process]:
    """The processes of these names that an engine on this backend has started."""
    return processes.found(lambda one: one.name() in names and one.environ().get("PULUMI_BACKEND_URL") == backend_url)
