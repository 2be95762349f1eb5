"""Which services change their release in a rollout, with both releases as a desired state that can be applied."""

from __future__ import annotations

from collections.abc import Sequence

from policies.desired_state import DesiredState
from workflows.errors import RolloutRefused
from workflows.runtime import Runtime
from workflows.services.models import ReleaseChange, ReleaseSet
from workflows.services.release_plan import release_stages, side_by_side
from workflows.services.settings import missing_setting


async def releases_of(
    runtime: Runtime, base: DesiredState | None, state: DesiredState, changed: Sequence[str]
) -> ReleaseSet | None:
    """The releases among the services ``changed`` from ``base`` to ``state``; None where there are none.

    Raises RolloutRefused when the worker has no setting for what one of them needs: else it would be found out
    between the old release and the new one.
    """
    both = side_by_side(state, base, changed)
    stages = release_stages(both, changed)
    if not stages:
        return None
    for change in (change for stage in stages for change in stage):
        _check_settings(runtime, change)
    back = state if base is None else side_by_side(base, state, changed)
    return ReleaseSet(
        state=await runtime.bodies.put(both, state.environment),
        stages=stages,
        back_state=await runtime.bodies.put(back, state.environment),
    )


def _check_settings(runtime: Runtime, change: ReleaseChange) -> None:
    missing = missing_setting(runtime.environ, change)
    if missing is not None:
        raise RolloutRefused(
            f"{change.service} is delivered with {missing.what}, and the workers have no {missing.name}",
            next_step=f"set {missing.name} for the workers, then `adx deploy` again",
        )
