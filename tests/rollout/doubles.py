"""Activities that record that they were called, and can be told to fail or to wait. For workflow tests only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.exceptions import ApplicationError

from workflows.infrastructure.models import (
    Applied,
    ApplyRequest,
    PlanMade,
    PlanRequest,
    RestoreRequest,
    RestoreVerified,
    SnapshotRequest,
    SnapshotTaken,
    StackLease,
)
from workflows.rollout.activity_models import (
    AncestryRequest,
    BindRequest,
    Bound,
    Choice,
    ChooseRequest,
    DecisionRecord,
    Finished,
    FinishRequest,
    HoldAnswer,
    HoldRequest,
    TestRequest,
    TestsPassed,
    Thawed,
    Validated,
    ValidateRequest,
)
from workflows.services.models import (
    BakeRequest,
    Deployed,
    DeployRequest,
    Found,
    ReleaseRequest,
    ReleaseSet,
    ReturnRequest,
    ShiftRequest,
)


@dataclass
class Doubles:
    """One double of every activity. Commits are ordered as text: a larger one contains a smaller one."""

    calls: list[str] = field(default_factory=list)
    finished: list[FinishRequest] = field(default_factory=list)
    fail_at: dict[str, ApplicationError] = field(default_factory=dict)
    hold_at: dict[str, asyncio.Event] = field(default_factory=dict)
    reached: dict[str, asyncio.Event] = field(default_factory=dict)
    approvers: list[str] | None = None
    changed_units: int = 1
    is_plan_bound: bool = False
    holds_until: list[HoldAnswer] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    releases: ReleaseSet | None = None
    unintelligible: str = ""

    def fails(self, step: str, error_type: str = "WorkloadFailed") -> None:
        """Let ``step`` fail for good whenever it is called."""
        self.fail_at[step] = ApplicationError(f"{step} is broken", type=error_type, non_retryable=True)

    def holds(self, step: str, *, is_deaf: bool = False) -> asyncio.Event:
        """Let ``step`` wait until the returned event is set or it is cancelled; a deaf one hears of no cancellation."""
        if is_deaf:
            self.deaf.add(step)
        self.reached[step] = asyncio.Event()
        self.hold_at[step] = asyncio.Event()
        return self.hold_at[step]

    async def _step(self, name: str) -> None:
        self.calls.append(name)
        if name in self.hold_at:
            self.reached[name].set()
            await (self.hold_at[name].wait() if name in self.deaf else self._wait_beating(self.hold_at[name]))
        if name in self.fail_at:
            raise self.fail_at[name]

    async def _wait_beating(self, event: asyncio.Event) -> None:
        """Wait as real steps do: with heartbeats, through which a cancellation arrives."""
        while not event.is_set():
            activity.heartbeat()
            try:
                await asyncio.wait_for(event.wait(), 0.05)
            except TimeoutError:
                continue

    @activity.defn
    async def read_hold(self, request: HoldRequest) -> HoldAnswer:
        """The next answer that was told; then nothing holds."""
        self.calls.append("read_hold")
        if "read_hold" in self.fail_at:
            raise self.fail_at.pop("read_hold")
        return self.holds_until.pop(0) if self.holds_until else HoldAnswer()

    @activity.defn
    async def choose(self, request: ChooseRequest) -> Choice:
        """Newest wins; rollbacks first."""
        for submission in request.submissions:
            if submission.kind == "rollback":
                return Choice(submission, [other for other in request.submissions if other != submission])
        return Choice(max(request.submissions, key=lambda submission: submission.commit))

    @activity.defn
    async def is_newer(self, request: AncestryRequest) -> bool:
        """Order of text."""
        return request.newer > request.older

    @activity.defn
    async def record_decision(self, record: DecisionRecord) -> None:
        """Recorded."""
        self.calls.append(f"decision:{record.action}")

    @activity.defn
    async def validate(self, request: ValidateRequest) -> Validated:
        """A change of one service."""
        await self._step("validate")
        return Validated(
            commit=request.submission.commit or "0" * 40,
            base_commit="b" * 40,
            base_state="base-state",
            desired_state="desired-state",
            delivery="delivery",
            changed_units=self.changed_units,
            summary="service/frontend changed",
            changed_services=["frontend"],
            approvers=self.approvers,
            approval_timeout_hours=1,
            is_plan_bound=self.is_plan_bound,
            has_calendar=bool(self.holds_until),
            releases=self.releases,
        )

    @activity.defn
    async def bind(self, request: BindRequest) -> Bound:
        """As it was previewed."""
        await self._step("bind")
        return Bound("plan-digest-of-the-review", "a" * 40, 7)

    @activity.defn
    async def snapshot(self, request: SnapshotRequest) -> SnapshotTaken:
        """A lease with token 1."""
        await self._step("snapshot")
        return SnapshotTaken(StackLease(request.environment, request.rollout_id, 1), "snapshot-digest", 7)

    @activity.defn
    async def plan(self, request: PlanRequest) -> PlanMade:
        """One update."""
        await self._step("plan")
        if self.unintelligible == "plan":
            return "what no workflow understands"  # type: ignore[return-value] # that is the point
        return PlanMade("plan-digest", 0, 1, 0, 0, 6)

    @activity.defn
    async def apply(self, request: ApplyRequest) -> Applied:
        """Apply, or re-apply during a restore; where releases change, the old ones go with the second apply."""
        name = "reapply" if request.is_restore else "apply"
        if self.releases is not None and request.desired_state == "desired-state":
            name = "cleanup"
        if self.releases is not None and request.desired_state == self.releases.back_state:
            name = "rebuild"
        await self._step(name)
        return Applied(0, 1, 0, 0, 6)

    @activity.defn
    async def repair(self, request: RestoreRequest) -> int:
        """Nothing to repair."""
        await self._step("repair")
        return 0

    @activity.defn
    async def verify_restore(self, request: RestoreRequest) -> RestoreVerified:
        """All equal."""
        await self._step("verify")
        return RestoreVerified(7)

    @activity.defn
    async def deploy(self, request: DeployRequest) -> Deployed:
        """Ready."""
        await self._step("redeploy" if request.is_restore else "deploy")
        return Deployed(request.services or ())

    @activity.defn
    async def run_tests(self, request: TestRequest) -> TestsPassed:
        """Passed."""
        await self._step("test")
        return TestsPassed(["frontend ready"])

    @activity.defn
    async def finish(self, request: FinishRequest) -> Finished:
        """Recorded; a restored commit gets its revert branch."""
        await self._step("status" if request.outcome == "delivered" else "end")
        self.finished.append(request)
        return Finished("adx/revert" if request.outcome == "restored" else "")

    @activity.defn
    async def thaw(self, request: Thawed) -> None:
        """Recorded."""
        self.calls.append("thaw")

    @activity.defn
    async def wait_for_green(self, request: ReleaseRequest) -> Found:
        """Healthy."""
        await self._step(f"healthy {request.change.service}")
        return Found("healthy")

    @activity.defn
    async def shift(self, request: ShiftRequest) -> Found:
        """Shifted."""
        copies = f" copies {request.mirror_percent}" if request.mirror_percent else ""
        await self._step(f"shift {request.of.change.service} {request.weight_percent}{copies}")
        return Found("shifted")

    @activity.defn
    async def bake(self, request: BakeRequest) -> Found:
        """Judged, and good."""
        await self._step(f"bake {request.of.change.service} {request.weight_percent}")
        return Found("good")

    @activity.defn
    async def return_traffic(self, request: ReturnRequest) -> Found:
        """Given back; what is in the state of the way back runs again."""
        await self._step(" ".join(["return", *(change.service for change in request.of.changes)]))
        return Found("returned")

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        return [
            self.choose,
            self.is_newer,
            self.record_decision,
            self.validate,
            self.bind,
            self.read_hold,
            self.snapshot,
            self.plan,
            self.apply,
            self.repair,
            self.verify_restore,
            self.deploy,
            self.run_tests,
            self.finish,
            self.thaw,
            self.wait_for_green,
            self.shift,
            self.bake,
            self.return_traffic,
        ]
