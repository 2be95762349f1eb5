"""Which services change their release in a rollout, with both releases as a desired state that can be applied."""

from __future__ import annotations

from collections.abc import Sequence

from policies.desired_state import DesiredState
from workflows.errors import RolloutRefused
from workflows.runtime import Runtime
from workflows.services.models import ReleaseChange, ReleaseSet
from workflows.services.release_plan import changed_gateways, release_stages, side_by_side
from workflows.services.settings import missing_setting


async def releases_of(
    runtime: Runtime,
    base: DesiredState | None,
    state: DesiredState,
    changed: Sequence[str],
    *,
    is_rollback: bool = False,
) -> ReleaseSet | None:
    """The releases among the services ``changed`` from ``base`` to ``state``; None where there are none.

    Raises RolloutRefused when the worker has no setting for what one of them needs: else it would be found out
    between the old release and the new one; and for a service that changes its gateway.
    """
    both = side_by_side(state, base, changed)
    stages = release_stages(both, base, changed, is_rollback=is_rollback)
    if not stages:
        return None
    _check_gateways(base, state)
    for change in (change for stage in stages for change in stage):
        _check_settings(runtime, change)
    back = state if base is None else side_by_side(base, state, changed)
    return ReleaseSet(
        state=await runtime.bodies.put(both, state.environment),
        stages=stages,
        back_state=await runtime.bodies.put(back, state.environment),
    )


def _check_gateways(base: DesiredState | None, state: DesiredState) -> None:
    """Two gateways at once cannot divide the requests of one service: callers of one would miss the other's."""
    for name, (old, new) in changed_gateways(base, state).items():
        raise RolloutRefused(
            f"{name} changes its gateway from {old} to {new}, and both would have requests",
            next_step="take its delivery out in one merge, and declare it with the other gateway in the next",
        )


def _check_settings(runtime: Runtime, change: ReleaseChange) -> None:
    missing = missing_setting(runtime.environ, change)
    if missing is not None:
        raise RolloutRefused(
            f"{change.service} is delivered with {missing.what}, and the workers have no {missing.name}",
            next_step=f"set {missing.name} for the workers, then `adx deploy` again",
        )
