"""Rules about what of an environment is put back when somebody has changed it behind ADX."""

from __future__ import annotations

from collections.abc import Iterator

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule

OWN_MANAGERS = "adx-"


@environment_rule("infrastructure.drift-managers")
def fields_of_adx_are_not_left_to_others(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No field manager of ADX is named as one whose fields are left alone: nothing could be healed then."""
    drift = declared.environment.drift
    for index, manager in enumerate(drift.leave_to if drift is not None else ()):
        if manager.startswith(OWN_MANAGERS):
            what = f"{manager} is a field manager of ADX itself"
            file, path = environment_file(environment, "environment"), f"drift.leave_to[{index}]"
            yield Finding(file=file, path=path, what=what, fix="name managers of others only, or take it out")


DRIFT_RULES: tuple[Rule, ...] = (fields_of_adx_are_not_left_to_others,)
