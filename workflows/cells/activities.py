"""Delivers one cell: apply, verify each tenant, and bring those that failed back to what they were."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

import msgspec
from temporalio import activity

from infra.engine import Engine
from infra.errors import PulumiFailed
from policies.desired_state import DesiredState, Unit, digest_of
from workflows.cells.models import CellRequest, CellResult, UnitResult
from workflows.cells.plan import cell_inputs, failures_by_unit, standing, unverified
from workflows.clients.kubernetes.kinds import ALL_KINDS
from workflows.clients.kubernetes.normalise import digests_by_unit, unit_of
from workflows.clients.kubernetes.selectors import made_by_adx
from workflows.configuration.units import deliver_units
from workflows.infrastructure.activities import FENCE_INTERVAL_SECONDS, cancelled_when, repair_stack, telling
from workflows.infrastructure.occupied import occupied_namespaces, what_is_occupied
from workflows.infrastructure.plan import differing_objects
from workflows.ledger import cells, units
from workflows.ledger.cells import Claim
from workflows.ledger.units import UnitState, version_of
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey

# One answer of 500 to any of a refresh's reads ends a whole round: an API server that fails now and then, or is away
# for half a minute, must not make an operator necessary.
RESTORE_PAUSES_SECONDS = (0.0, 2.0, 4.0, 8.0, 16.0)
VERIFY_INTERVAL_SECONDS = 0.5
VERIFY_WITHIN_SECONDS = 60.0
LOST = "its namespace is being deleted or is gone, and created anew it would be empty"
TENANT_KINDS = frozenset({"Namespace", "ConfigMap", "ResourceQuota", "LimitRange", "NetworkPolicy"})


@dataclass(frozen=True)
class _Cell:
    """Everything that one attempt works with."""

    request: CellRequest
    base: DesiredState | None
    desired: DesiredState
    engine: Engine
    claim: Claim
    report: Report

    @property
    def asked(self) -> set[str]:
        """The units to be moved."""
        return set(self.request.units)

    def inputs(self, renewed: set[str]) -> DesiredState:
        """The inputs of the stack when, of the units asked for, ``renewed`` are new."""
        return cell_inputs(self.base, self.desired, renewed | set(self.request.settled), self.request.stack)

    def target(self, unit: str, *, is_new: bool) -> Unit | None:
        """What the unit is to be: new, or as before."""
        state = self.desired if is_new else self.base
        return state.by_id().get(unit) if state is not None else None


class CellActivities:
    """The guarded change of a cell, as one step: its tenants end new or as they were, each for itself.

    What restores a tenant is its last good inputs, in the base state, which the
    ledger names; what proves it are digests of its live objects, taken by the
    attempt itself before it changes anything, and kept in memory only. In the
    store they and the stack's state would be of no use: no rollout names them,
    so that retention removes them after a day, and to name them, one row would
    need two more bodies for each cell.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def deliver_cell(self, request: CellRequest) -> CellResult:
        """Move the units asked for; what fails goes back. Raises only what stops the whole cell (a stale claim)."""

        async def work(report: Report) -> CellResult:
            async with self._claimed(request) as claim:
                cell = await self._open(request, claim, report)
                if activity.info().attempt > 1:
                    await repair_stack(cell.engine, report)
                results = await self._move(cell, digests_by_unit(await self._live(cell, cell.asked)))
                await self._record(cell, results)
            delivered = sum(result.outcome == "delivered" for result in results)
            report(f"{delivered} of {len(results)} delivered")
            return CellResult(request.stack, results)

        lease = request.lease
        content = digest_of([request.base_state, request.desired_state, sorted(request.units), sorted(request.settled)])
        name = f"cell{'-undo' if request.is_undo else ''}-{content[:8]}-{request.turn}"
        key = StepKey(lease.rollout_id, lease.environment, name, content, unit=request.stack)
        return await self._runtime.steps.run(key, CellResult, work)

    async def _open(self, request: CellRequest, claim: Claim, report: Report) -> _Cell:
        environment, bodies = request.lease.environment, self._runtime.bodies
        base = None
        if request.base_state is not None:
            base = await bodies.get(request.base_state, DesiredState, environment)
        desired = await bodies.get(request.desired_state, DesiredState, environment)
        return _Cell(request, base, desired, self._runtime.engine(request.stack), claim, report)

    async def _move(self, cell: _Cell, before: Mapping[str, Mapping[str, str]]) -> list[UnitResult]:
        """What became of the units asked for; ``before`` are the digests of their live objects, see ``_differing``."""
        if cell.request.is_undo:
            problems = await self._restored(cell, cell.asked, before=None)
            return [_undone(unit, problems.get(unit, "")) for unit in sorted(cell.asked)]
        failed = await self._applied(cell)
        lost = await self._lost(cell, failed.keys())
        back = failed.keys() - lost
        broken = dict.fromkeys(lost, LOST) | (await self._restored(cell, back, before) if back else {})
        return [_result(unit, failed.get(unit, ""), broken.get(unit, "")) for unit in sorted(cell.asked)]

    async def _occupied(self, cell: _Cell) -> dict[str, str]:
        """Why not, for units that would go into namespaces which others have made since the rollout was validated."""
        targets = {unit: target for unit in cell.asked if (target := cell.target(unit, is_new=True)) is not None}
        asked = msgspec.structs.replace(cell.desired, units=tuple(targets.values()))
        found = await occupied_namespaces(self._runtime.cluster, cell.base, asked)
        why = {one.name: what_is_occupied([one]) for one in found}
        namespaces = {unit: target.inputs.namespace for unit, target in targets.items()}
        return {unit: why[name] for unit, name in namespaces.items() if name in why}

    async def _lost(self, cell: _Cell, failed: Collection[str]) -> set[str]:
        """Tenants that were to go away, and whose namespace goes or has gone although something failed."""
        going = {unit for unit in failed if unit.startswith("tenant/") and cell.target(unit, is_new=True) is None}
        return going - standing(await self._live(cell, going)) if going else set()

    async def _applied(self, cell: _Cell) -> dict[str, str]:
        """Apply the new inputs; why a unit failed, for those that did."""
        failed = await self._occupied(cell)
        inputs = cell.inputs(cell.asked - failed.keys())
        try:
            await cell.engine.up(inputs, continue_on_error=True, on_event=telling(cell.report))
        except PulumiFailed as error:
            failed |= failures_by_unit(error.diagnostics, cell.asked - failed.keys())
        failed |= await self._unverified(cell, dict.fromkeys(cell.asked - failed.keys(), True))
        return failed | await self._configured(cell, cell.asked - failed.keys(), is_new=True)

    async def _restored(
        self, cell: _Cell, failed: set[str], before: Mapping[str, Mapping[str, str]] | None
    ) -> dict[str, str]:
        """Re-apply the last good inputs of ``failed``, in rounds; why a unit is still not back, where it is not."""
        inputs = cell.inputs(cell.asked - failed)
        problems: dict[str, str] = {}
        for pause_seconds in RESTORE_PAUSES_SECONDS:
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
                await repair_stack(cell.engine, cell.report)
            is_whole, problems = await self._reapplied(cell, inputs, failed)
            # After a round that failed there may be nothing to wait for; the last one gives whatever is under way time.
            is_patient = is_whole or pause_seconds == RESTORE_PAUSES_SECONDS[-1]
            rest = dict.fromkeys(failed - problems.keys(), False)
            problems |= await self._unverified(cell, rest, within_seconds=VERIFY_WITHIN_SECONDS if is_patient else 0.0)
            problems |= await self._configured(cell, failed - problems.keys(), is_new=False)
            if before is not None:
                problems |= await self._differing(cell, inputs, failed - problems.keys(), before)
            if not problems:
                break
        return problems

    async def _reapplied(self, cell: _Cell, inputs: DesiredState, failed: set[str]) -> tuple[bool, dict[str, str]]:
        """Whether all of the cell was applied, and what the engine said of those of ``failed`` that were not.

        An object of another tenant that cannot be read keeps it from applying anything.
        """
        try:
            await cell.engine.up(inputs, refresh=True, continue_on_error=True, on_event=telling(cell.report))
        except PulumiFailed as error:
            return False, failures_by_unit(error.diagnostics, failed)
        return True, {}

    async def _differing(
        self, cell: _Cell, inputs: DesiredState, restored: set[str], before: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """Units whose live objects are neither what the snapshot says nor what is declared.

        An object that had drifted before is back at its declared form; that counts as restored.
        """
        if not restored:
            return {}
        now = digests_by_unit(await self._live(cell, restored))
        changed = {
            unit: differing_objects({unit: before.get(unit, {})}, {unit: now.get(unit, {})}) for unit in restored
        }
        suspects = {unit: names[0] for unit, names in changed.items() if names}
        if not suspects:
            return {}
        undeclared = {change.unit for change in (await cell.engine.preview(inputs, refresh=True)).changes}
        return {unit: f"{name} differs from the snapshot" for unit, name in suspects.items() if unit in undeclared}

    async def _unverified(
        self, cell: _Cell, wanted: Mapping[str, bool], *, within_seconds: float = VERIFY_WITHIN_SECONDS
    ) -> dict[str, str]:
        """Wait until the cluster holds what was declared; why it does not, for the units where it stays so."""
        targets = {unit: cell.target(unit, is_new=is_new) for unit, is_new in wanted.items()}
        deadline = asyncio.get_running_loop().time() + within_seconds
        while targets:
            wrong = unverified(targets, await self._live(cell, set(targets)))
            if not wrong or asyncio.get_running_loop().time() > deadline:
                return wrong
            await asyncio.sleep(VERIFY_INTERVAL_SECONDS)
        return {}

    async def _configured(self, cell: _Cell, asked: set[str], *, is_new: bool) -> dict[str, str]:
        """Bring the units' own values into the store; why not, for those that differ in any, where that fails."""
        moves = {unit: (cell.target(unit, is_new=not is_new), cell.target(unit, is_new=is_new)) for unit in asked}
        way = f"{cell.request.turn}.{activity.info().attempt}.{'new' if is_new else 'before'}"
        return await deliver_units(self._runtime, cell.request.lease, cell.desired.commit, moves, way)

    async def _live(self, cell: _Cell, wanted: set[str]) -> list[dict[str, object]]:
        """The live objects of ``wanted``: looked for where units of these kinds have any."""
        kinds = TENANT_KINDS if all(unit.startswith("tenant/") for unit in wanted) else ALL_KINDS
        selector = made_by_adx(cell.request.lease.environment, units=wanted)
        return [item for item in await self._runtime.cluster.live_objects(selector, kinds) if unit_of(item)]

    async def _record(self, cell: _Cell, results: list[UnitResult]) -> None:
        lease = cell.request.lease
        states = [_state(cell, result) for result in results]
        await units.record(
            self._runtime.ledger,
            lease.environment,
            lease.rollout_id,
            states,
            fencing_token=lease.environment_token,
            claim=cell.claim,
        )

    @contextlib.asynccontextmanager
    async def _claimed(self, request: CellRequest) -> AsyncIterator[Claim]:
        """Run a block only while this attempt is the newest on its cell; else cancel it."""
        info, lease, ledger = activity.info(), request.lease, self._runtime.ledger
        claim = await cells.claim(
            ledger,
            lease.environment,
            request.stack,
            rollout_id=lease.rollout_id,
            holder=f"{info.workflow_id}.{info.workflow_run_id}.{info.activity_id}.{info.attempt}",
            environment_token=lease.environment_token,
        )

        async def watch() -> None:
            while True:
                await asyncio.sleep(FENCE_INTERVAL_SECONDS)
                await cells.check(ledger, claim)

        async with cancelled_when(watch()):
            yield claim


def _result(unit: str, failure: str, problem: str) -> UnitResult:
    if not failure:
        return UnitResult(unit, "delivered")
    if not problem:
        return UnitResult(unit, "restored", failure)
    return UnitResult(unit, "needs-operator", f"{failure}; not restored: {problem}")


def _undone(unit: str, problem: str) -> UnitResult:
    return UnitResult(unit, "needs-operator" if problem else "restored", problem)


def _state(cell: _Cell, result: UnitResult) -> UnitState:
    """What the ledger says of the unit from now on."""
    is_new = result.outcome == "delivered"
    unit = cell.target(result.unit, is_new=is_new)
    if result.outcome == "needs-operator":
        other = unit or cell.target(result.unit, is_new=True)
        return UnitState(
            unit=result.unit,
            status="frozen",
            digest=unit.digest if unit else None,
            commit=other.commit if other else cell.desired.commit,
            reason=result.why,
            version=version_of(unit),
        )
    if unit is None:
        return UnitState(unit=result.unit, status="removed", digest=None, commit=cell.desired.commit)
    return UnitState(
        unit=result.unit,
        status="applied" if is_new else "restored",
        digest=unit.digest,
        commit=unit.commit,
        reason=result.why,
        version=version_of(unit),
    )
