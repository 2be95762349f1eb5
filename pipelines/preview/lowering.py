"""Which services a pull request may not lower. Pure. A rollout refuses them too (``workflows.rollout.plan``)."""

from __future__ import annotations

from policies.change_set import diff
from policies.desired_state import DesiredState
from policies.errors import Problem
from policies.findings import environment_file
from policies.lowered_versions import lowered_versions
from policies.services.lowering import RULE, WAY_OUT


def lowered_services(before: DesiredState | None, after: DesiredState | None) -> tuple[Problem, ...]:
    """Services of ``before`` (what is delivered, else declared) whose version ``after`` lowers without saying so."""
    if before is None or after is None:
        return ()
    file = environment_file(after.environment, "services")
    return tuple(
        Problem(
            file=file, line=0, column=0, path=f"services.{one.service}.version", what=one.what, fix=WAY_OUT, rule=RULE
        )
        for one in lowered_versions(diff(before, after))
    )
