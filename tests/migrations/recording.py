"""``python -m tests.migrations.recording``: records the histories that ``test_replay`` replays.

Record anew only when a workflow was changed on purpose, and keep the old files.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from policies.infrastructure.spec import FleetRules
from policies.migrations.targets import MigrationTarget
from tests.rollout.doubles import Doubles
from tests.support.histories import keep
from tests.support.temporal_servers import skipping_server
from workflows.infrastructure.models import StackLease
from workflows.migrations.fan_out import state_of
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.models import (
    BatchRequest,
    BatchResult,
    DatabaseMigrationInput,
    FanOutInput,
    FanOutPlan,
    FanOutPlanRequest,
    MigrationLease,
    MigrationStage,
    Prepared,
    PrepareRequest,
    RolloutMigrations,
    TargetOutcome,
    TargetPlanned,
    TargetRequest,
    TargetResult,
    UndoRequest,
    Wanted,
)
from workflows.migrations.registration import MIGRATION_WORKFLOWS
from workflows.migrations.workflow import DatabaseMigrationWorkflow
from workflows.rollout.activity_models import Validated, ValidateRequest
from workflows.rollout.models import RolloutInput, Submission
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner

HISTORIES = Path(__file__).parent / "histories"
WORKFLOWS = (RolloutWorkflow, RestoreWorkflow, *MIGRATION_WORKFLOWS)
STAGES = RolloutMigrations(MigrationStage("first", 6, "shop 1 → 2"), MigrationStage("rest", 6, "shop 2 → 3"))


@dataclass
class MigrationDoubles:
    """Activities that say what became of databases without any; those in ``failing`` fail once."""

    failing: set[str] = field(default_factory=set)
    hold: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    is_failing_at_execute: bool = False
    is_taken_over: bool = False

    @activity.defn
    async def prepare_operation(self, request: PrepareRequest) -> Prepared:
        """One database."""
        return Prepared("targets", [f"main/{request.wanted.tenant}"])

    @activity.defn
    async def plan_target(self, request: TargetRequest) -> TargetPlanned:
        """One script."""
        return TargetPlanned(1, 2, [f"shop/0002_for_{request.target.partition('/')[2]}"])

    @activity.defn
    async def protect_target(self, request: TargetRequest) -> str:
        """By down scripts."""
        return f"down scripts for {request.target}"

    @activity.defn
    async def execute_target(self, request: TargetRequest) -> int:
        """Done, or refused by the server."""
        if self.is_failing_at_execute:
            raise ApplicationError(f"{request.target}: syntax error", type="StatementRefused", non_retryable=True)
        if self.is_taken_over:
            raise ApplicationError(f"{request.target} is another's", type="StaleFencingToken", non_retryable=True)
        return 1

    @activity.defn
    async def verify_target(self, request: TargetRequest) -> TargetResult:
        """As it should be."""
        return TargetResult(request.target, "delivered", 2)

    @activity.defn
    async def restore_target(self, request: TargetRequest) -> TargetResult:
        """As it was."""
        return TargetResult(request.target, "restored", 1, request.reason)

    @activity.defn
    async def refuse_target(self, request: TargetRequest) -> TargetResult:
        """Recorded."""
        return TargetResult(request.target, "restored", 1, request.reason)

    @activity.defn
    async def claim_databases(self, lease: StackLease) -> int:
        """A token after that of the snapshot."""
        return lease.fencing_token + 1

    @activity.defn
    async def plan_fan_out(self, request: FanOutPlanRequest) -> FanOutPlan:
        """Six databases on two servers, one of them a canary's."""
        targets = [_target(number) for number in range(6)]
        rules = FleetRules(canaries=("t1",), steps=(3, "100%"), failure_budget=1, beyond_budget="restore_all")
        state = state_of(targets, rules, is_needed=request.is_needed)
        return FanOutPlan(state, {one.id: one.server for one in targets})

    @activity.defn
    async def migrate_batch(self, request: BatchRequest) -> BatchResult:
        """All get their version but those that fail."""
        if self.hold is not None and not request.is_undo:
            self.reached.set()
            while not self.hold.is_set():
                activity.heartbeat()
                await asyncio.sleep(0.05)
        end: TargetOutcome = "restored" if request.is_undo else "delivered"
        return BatchResult(
            [
                TargetResult(one, "restored", 1, "it fails") if one in self.failing else TargetResult(one, end, 2)
                for one in sorted(request.chosen)
            ]
        )

    @activity.defn
    async def undo_operation(self, request: UndoRequest) -> BatchResult:
        """All but one go back."""
        kept = TargetResult("main/t1", "kept", 2, f"{request.undoes}: rows were written")
        return BatchResult([TargetResult("main/t0", "restored", 1), kept])

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        return [
            self.prepare_operation,
            self.plan_target,
            self.protect_target,
            self.execute_target,
            self.verify_target,
            self.restore_target,
            self.refuse_target,
            self.claim_databases,
            self.plan_fan_out,
            self.migrate_batch,
            self.undo_operation,
        ]


class RolloutDoubles(Doubles):
    """A rollout with migrations before and after its services."""

    @activity.defn
    async def validate(self, request: ValidateRequest) -> Validated:
        """Both stages."""
        validated = await Doubles.validate(self, request)
        return replace(validated, migrations=STAGES)


@dataclass
class Recorder:
    """A client, and the doubles behind its worker."""

    client: Client
    task_queue: str
    doubles: MigrationDoubles
    rollout: RolloutDoubles


Scenario = Callable[[Recorder], Awaitable[list[str]]]


async def one_delivered(recorder: Recorder) -> list[str]:
    """One database gets its version."""
    await _one(recorder, "one")
    return ["one"]


async def one_restored(recorder: Recorder) -> list[str]:
    """One database fails and is restored by a child."""
    recorder.doubles.is_failing_at_execute = True
    await _one(recorder, "one")
    return ["one", "one-restore"]


async def one_taken_over(recorder: Recorder) -> list[str]:
    """Another operation takes the database while it is migrated: nothing is restored."""
    recorder.doubles.is_taken_over = True
    await _one(recorder, "one")
    return ["one"]


async def many_partly(recorder: Recorder) -> list[str]:
    """Six databases, one lags behind within the budget."""
    recorder.doubles.failing = {"main/t4"}
    await _many(recorder)
    return ["many"]


async def many_taken_back(recorder: Recorder) -> list[str]:
    """Six databases, one fails, all go back."""
    recorder.doubles.failing = {"other/t5"}
    await _many(recorder, is_needed=True)
    return ["many"]


async def many_cancelled(recorder: Recorder) -> list[str]:
    """Cancelled while the canary is under way."""
    recorder.doubles.hold = asyncio.Event()
    handle = await recorder.client.start_workflow(
        MigrationFanOutWorkflow.run, _asked(), id="many", task_queue=recorder.task_queue
    )
    await recorder.doubles.reached.wait()
    await handle.signal(MigrationFanOutWorkflow.cancel, "ada")
    recorder.doubles.hold.set()
    await handle.result()
    return ["many"]


async def many_looked_again(recorder: Recorder) -> list[str]:
    """Cancelled while no attempt says what became of the canary: it is asked about."""
    recorder.doubles.hold = asyncio.Event()
    handle = await recorder.client.start_workflow(
        MigrationFanOutWorkflow.run, _asked(), id="many", task_queue=recorder.task_queue
    )
    await recorder.doubles.reached.wait()
    await handle.signal(MigrationFanOutWorkflow.cancel, "ada")
    await handle.result()
    return ["many"]


async def rollout_delivered(recorder: Recorder) -> list[str]:
    """Expanded, delivered, contracted."""
    await _rollout(recorder)
    return ["rollout", "rollout-migrate"]


async def rollout_restored(recorder: Recorder) -> list[str]:
    """A service fails after its schema came."""
    recorder.rollout.fails("deploy")
    await _rollout(recorder)
    return ["rollout", "rollout-restore"]


SCENARIOS: tuple[Scenario, ...] = (
    one_delivered,
    one_restored,
    one_taken_over,
    many_partly,
    many_taken_back,
    many_cancelled,
    many_looked_again,
    rollout_delivered,
    rollout_restored,
)


@asynccontextmanager
async def recorder_on_new_server() -> AsyncIterator[Recorder]:
    """A server of its own."""
    doubles, rollout, task_queue = MigrationDoubles(), RolloutDoubles(), f"record-{uuid.uuid4()}"
    async with (
        await skipping_server() as server,
        Worker(
            server.client,
            task_queue=task_queue,
            workflows=WORKFLOWS,
            activities=[*doubles.all(), *rollout.all()],
            workflow_runner=sandboxed_runner(),
        ),
    ):
        yield Recorder(server.client, task_queue, doubles, rollout)


async def record() -> None:
    """Run each scenario and keep the histories of its workflows."""
    HISTORIES.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    for scenario in SCENARIOS:
        async with recorder_on_new_server() as recorder:
            for workflow_id in await scenario(recorder):
                history = await recorder.client.get_workflow_handle(workflow_id).fetch_history()
                name = f"{stamp}-{scenario.__name__}-{workflow_id}.json"
                keep(history, HISTORIES / name)


def _target(number: int) -> MigrationTarget:
    server = "other" if number == 5 else "main"
    return MigrationTarget(
        id=f"{server}/t{number}",
        server=server,
        database=f"t{number}",
        schema="",
        scripts="shop",
        engine="mysql",
        tenants=(f"t{number}",),
        from_version=1,
        to_version=2,
    )


def _asked(*, is_needed: bool = False) -> FanOutInput:
    return FanOutInput("staging", MigrationLease("staging", "many"), "targets", is_needed=is_needed)


async def _one(recorder: Recorder, name: str) -> None:
    await recorder.client.execute_workflow(
        DatabaseMigrationWorkflow.run,
        DatabaseMigrationInput(Wanted("staging", "ada", tenant="acme")),
        id=name,
        task_queue=recorder.task_queue,
    )


async def _many(recorder: Recorder, *, is_needed: bool = False) -> None:
    await recorder.client.execute_workflow(
        MigrationFanOutWorkflow.run, _asked(is_needed=is_needed), id="many", task_queue=recorder.task_queue
    )


async def _rollout(recorder: Recorder) -> None:
    submission = Submission("development", "1" * 40, "ada@example.com", "cli")
    await recorder.client.execute_workflow(
        RolloutWorkflow.run, RolloutInput(submission), id="rollout", task_queue=recorder.task_queue
    )


if __name__ == "__main__":
    asyncio.run(record())
