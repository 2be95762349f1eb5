"""The table: which modules are changed, and which tests must notice.

Only pure modules with pure tests are here: no test of this table needs a server.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Core:
    """One run: ``modules`` are changed, one small change at a time, and ``tests`` (files or folders) are asked."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


_ANALYSIS = "tests/services/analysis"
_FLAGS = "tests/configuration/flags"

CORES = (
    Core(
        "change set",
        ("policies/change_set.py",),
        ("tests/desired_state/test_change_set.py",),
    ),
    Core(
        "resolution",
        ("policies/desired_state.py", "policies/incremental.py"),
        (
            "tests/desired_state/test_resolve.py",
            "tests/loading/test_incremental.py",
            f"{_FLAGS}/test_incremental.py",
            "tests/configuration/values/test_resolution.py",
            "tests/migrations/test_targets.py",
        ),
    ),
    Core(
        "plans",
        (
            "policies/placement.py",
            "workflows/cells/plan.py",
            "workflows/configuration/plan.py",
            "workflows/rollout/plan.py",
            "workflows/services/release_plan.py",
        ),
        (
            "tests/cells/test_plan.py",
            "tests/configuration/delivery/test_plan.py",
            "tests/rollout/test_plan.py",
            "tests/services/test_lowering.py",
            "tests/services/test_release_plan.py",
        ),
    ),
    Core(
        "waves",
        ("policies/infrastructure/fleet_rules.py", "workflows/fleet/machine.py"),
        (
            "tests/fleet/test_calendar.py",
            "tests/fleet/test_declared.py",
            "tests/fleet/test_machine.py",
            "tests/fleet/test_roles.py",
            "tests/fleet/test_stories.py",
            "tests/infrastructure/test_rules.py",
        ),
    ),
    Core(
        "flags",
        ("policies/configuration/flags/bucketing.py", "policies/configuration/flags/evaluator.py"),
        (f"{_FLAGS}/test_bucketing.py", f"{_FLAGS}/test_evaluator.py", f"{_FLAGS}/test_wire.py"),
    ),
    Core(
        "releases",
        ("policies/services/releases.py", "policies/services/routing.py"),
        ("tests/services/test_releases.py", "tests/services/test_routing.py"),
    ),
    Core(
        "analysis",
        tuple(
            f"policies/services/analysis/{name}.py"
            for name in ("binomial", "counters", "declared", "judge", "latency", "looks", "queries", "rates")
        ),
        tuple(
            f"{_ANALYSIS}/test_{name}.py"
            for name in ("binomial", "counters", "declared", "judge", "latency", "looks", "queries", "rates")
        ),
    ),
)
