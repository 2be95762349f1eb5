"""Holds a rollout to what a reviewer saw, before anything is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from infra.binding import PlanBinding, binding_of, differences
from infra.engine import plan_environment
from policies.desired_state import DesiredState
from policies.infrastructure.spec import Review as ReviewRules
from workflows.bodies import DeliveryBody
from workflows.errors import PlanMoved
from workflows.ledger import reviews
from workflows.ledger.models import Review
from workflows.rollout.activity_models import BindRequest, Bound
from workflows.runtime import Runtime


async def bind(runtime: Runtime, request: BindRequest) -> Bound:
    """The recorded preview of the very plan that would be applied now. Raises PlanMoved with the difference."""
    environment = request.environment
    body = await runtime.bodies.get(request.delivery, DeliveryBody, environment)
    after = await runtime.bodies.get(request.desired_state, DesiredState, environment)
    before = None
    if request.base_state is not None:
        before = await runtime.bodies.get(request.base_state, DesiredState, environment)
    now = binding_of(before, after, await plan_environment(runtime.engine_settings, before, after))
    rules = body.environment.review
    known = young_enough(await reviews.find(runtime.ledger, environment, now.digest), rules, datetime.now(UTC))
    if not known:
        raise _moved(environment, now, await reviews.newest(runtime.ledger, environment), after.commit)
    if rules.require_approved_head:
        known = await _approved(runtime, environment, known)
    return Bound(now.digest, known[0].head, known[0].pull_request)


def young_enough(found: Sequence[Review], rules: ReviewRules, now: datetime) -> list[Review]:
    """Those of ``found`` that still count."""
    oldest = now - timedelta(days=rules.max_age_days)
    return [review for review in found if review.recorded_at is not None and review.recorded_at >= oldest]


def closest(now: PlanBinding, known: Sequence[Review]) -> tuple[Review, tuple[str, ...]] | None:
    """The review that differs least from ``now``, the newest of several, with what differs; None without any."""
    compared = [(review, differences(msgspec.convert(review.binding, PlanBinding), now)) for review in known]
    return min(compared, key=lambda pair: len(pair[1]), default=None)


def _moved(environment: str, now: PlanBinding, known: Sequence[Review], commit: str) -> PlanMoved:
    next_step = (
        f"look at what is merged with `adx preview --head {commit[:12]} --environment {environment} --record`, "
        f"then run `adx deploy {environment} --force`"
    )
    found = closest(now, known)
    if found is None:
        return PlanMoved(f"no preview of {environment} was ever recorded, and it binds its plans", next_step=next_step)
    review, moved = found
    if not moved:
        return PlanMoved(f"the preview of plan {now.digest[:12]} of {environment} is too old", next_step=next_step)
    return PlanMoved(
        f"plan {now.digest[:12]} of {environment} was not previewed; the nearest, {review.digest[:12]} for "
        f"{review.head[:12]}, differs: {'; '.join(moved)}",
        next_step=next_step,
    )


async def _approved(runtime: Runtime, environment: str, known: Sequence[Review]) -> list[Review]:
    """Those whose pull request holds an approval of the very head that was previewed. Raises PlanMoved without any."""
    hosting = runtime.hosting()
    for review in known:
        if review.pull_request is None:
            continue
        approvals = await asyncio.to_thread(hosting.approvals, review.pull_request)
        if any(approval.commit == review.head for approval in approvals):
            return [review]
    shown = ", ".join(sorted({review.head[:12] for review in known}))
    raise PlanMoved(
        f"the plan of {environment} was previewed for {shown}, but nobody approved that commit",
        next_step="have the pull request approved as it was merged; an approval before the last push does not count",
    )
