"""The guarded change: the one skeleton by which every system changes state.

::

    steps before the snapshot → snapshot → steps after it
                                   └─ on any failure or cancellation: restore, awaited

Runs inside workflows: deterministic, no I/O of its own. It keeps the progress
that queries show; it knows nothing of what the steps do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

from policies.errors import AdxError
from workflows.models import StepProgress, StepStatus

FAILURES = (FailureError, AdxError, asyncio.CancelledError)
"""How steps fail. Anything else is a defect of ours, or of this process alone: the workflow's task fails and is tried
again, elsewhere or by mended code. Taken for a failure it would restore what is good; and since it may not happen
when the history is replayed, the workflow could then never go on."""

RESTORE_ROUNDS = 3
PAUSE_BETWEEN_ROUNDS_SECONDS = 30
"""How often a restore is tried before it is an operator's, and how long it waits before it looks again."""

Result = TypeVar("Result")
Request = TypeVar("Request")
RunMethod = Callable[[Any, Request], Awaitable[Result]]


class NothingToChange(Exception):
    """Raised by a step before the snapshot: there is nothing to do, and that is fine."""


@dataclass(frozen=True)
class Step:
    """One named step; ``run`` returns a line for a person about what it did.

    With ``is_past_return`` a cancellation before it comes too late: what was done cannot be taken back as a whole.
    """

    name: str
    run: Callable[[], Awaitable[str]]
    is_past_return: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a guarded change ended early. ``is_cancelled`` when somebody asked for that."""

    step: str
    message: str
    is_cancelled: bool
    error_type: str = ""


@dataclass(frozen=True)
class GuardedOutcome(Generic[Result]):
    """How a guarded change ended: all steps done, or a failure with the result of the restore.

    ``restored`` is None when the failure came before the snapshot: nothing had been touched.
    """

    failure: Failure | None = None
    restored: Result | None = None


async def guarded_change(
    *,
    before_snapshot: Sequence[Step],
    snapshot: Step,
    after_snapshot: Sequence[Step],
    restore: Callable[[Failure], Awaitable[Result]],
    progress: list[StepProgress],
) -> GuardedOutcome[Result]:
    """Run the steps in order; whatever fails after the snapshot is restored before this returns.

    ``restore`` is fixed before the first step that could change anything runs,
    and is awaited to its end even when the workflow is cancelled meanwhile.
    ``NothingToChange`` from a step before the snapshot passes through.
    """
    failure = await _run_all([*before_snapshot, snapshot], progress, is_cancellable=True)
    if failure is not None:
        return GuardedOutcome(failure)
    failure = await _run_all(after_snapshot, progress, is_cancellable=True)
    if failure is None:
        return GuardedOutcome()
    return GuardedOutcome(failure, await finish_despite_cancellation(restore(failure)))


async def run_steps(steps: Sequence[Step], progress: list[StepProgress]) -> Failure | None:
    """Run ``steps`` in order without a guard (a restore is its own guard); the failure, if one failed."""
    return await _run_all(steps, progress)


async def finish_despite_cancellation(work: Awaitable[Result]) -> Result:
    """Await ``work`` to its end; a cancellation that arrives meanwhile does not reach it."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
        except Exception:  # noqa: BLE001 - re-raised by result() below
            break
    return task.result()


async def outliving(run: RunMethod[Request, Result], request: Request, workflow_id: str) -> Result:
    """The result of a child that whatever ends us does not end: how a restore is started and awaited."""
    return await (await start_outliving(run, request, workflow_id))


async def start_outliving(
    run: RunMethod[Request, Result], request: Request, workflow_id: str
) -> ChildWorkflowHandle[Any, Result]:
    """Start such a child, to be awaited."""
    return await workflow.start_child_workflow(
        run,
        request,
        id=workflow_id,
        parent_close_policy=ParentClosePolicy.ABANDON,
        cancellation_type=ChildWorkflowCancellationType.ABANDON,
    )


async def told_of_cancellation(child: Awaitable[Result], tell: Callable[[], Awaitable[None]]) -> tuple[Result, bool]:
    """The child's result, and whether we were cancelled meanwhile; then ``tell`` was awaited first, and its end."""
    waiting = asyncio.ensure_future(finish_despite_cancellation(child))
    try:
        return await asyncio.shield(waiting), False
    except asyncio.CancelledError:
        with contextlib.suppress(FailureError):  # it has ended meanwhile: its result says how
            await tell()
        return await finish_despite_cancellation(waiting), True


def failure_of(step: str, error: BaseException) -> Failure:
    """``error`` as a failure of ``step``, with the message of its innermost cause."""
    cause = error
    while isinstance(cause, (ActivityError, ChildWorkflowError)) and cause.cause is not None:
        cause = cause.cause
    error_type = (cause.type or "") if isinstance(cause, ApplicationError) else type(cause).__name__
    message = (cause.message if isinstance(cause, ApplicationError) else str(cause)) or error_type
    return Failure(step, message, is_cancelled_exception(error), error_type)


async def _run_all(
    steps: Sequence[Step], progress: list[StepProgress], *, is_cancellable: bool = False
) -> Failure | None:
    by_name = {entry.name: entry for entry in progress}
    for step in steps:
        entry = by_name[step.name]
        entry.status, entry.started_at = "running", _now()
        try:
            if is_cancellable and not step.is_past_return:
                _give_way_to_cancellation()
            entry.message = await step.run()
        except NothingToChange as nothing:
            _finish(entry, "succeeded", str(nothing))
            raise
        except FAILURES as error:  # becomes the failure that is reported and restored
            failure = failure_of(step.name, error)
            _finish(entry, "cancelled" if failure.is_cancelled else "failed", failure.message)
            return failure
        _finish(entry, "succeeded", entry.message)
    return None


def _give_way_to_cancellation() -> None:
    """Raise CancelledError when a cancellation arrived while the step before was ending.

    An activity that ends before it hears of the cancellation returns its result, and nobody is told again.
    """
    if workflow.cancellation_reason() is not None and workflow.patched("cancelled-between-steps"):
        raise asyncio.CancelledError


def _finish(entry: StepProgress, status: StepStatus, message: str) -> None:
    entry.status = status
    entry.message, entry.finished_at = message, _now()


def _now() -> str:
    return workflow.now().isoformat(timespec="milliseconds")
