"""Which task queue work waits in, and who takes it from there. Pure.

A worker process serves one or more *kinds* of work, each with a task queue and
places of its own, so that what is heavy is bounded and what only waits keeps
nothing else from being done:

==========  ====================  =====================================================
kind        task queue            work
==========  ====================  =====================================================
workflows   ``<queue>``           workflows, and activities that are over in a moment
cells       ``<queue>-cells``     whatever runs Pulumi: heavy
checks      ``<queue>-checks``    whatever waits for a cluster or for what a test says
==========  ====================  =====================================================

In the last two, environments take turns (a fairness key, see
``docs/workers.md``). Work of workflows that know no kinds waits in
``<queue>``, which is therefore served with everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from policies.errors import AdxError

Kind = Literal["workflows", "cells", "checks"]
KINDS: tuple[Kind, ...] = get_args(Kind)

CELLS_AT_ONCE = 3
PULUMI_OPERATIONS = 4
CHECKS = 50

# Names of activities. What is in neither is light.
RUN_PULUMI = frozenset({"snapshot", "plan", "apply", "repair", "verify_restore", "bind", "deliver_cell"})
WAIT_LONG = frozenset(
    {
        "deploy",
        "run_tests",
        "check_gates",
        "check_health",
        "check_drift",
        "apply_heal",
        "undo_heal",
        "wait_for_green",
        "bake",
    }
)


class WorkerSettingRefused(AdxError):
    """A setting of workers has a value that means nothing; the message names it."""

    exit_code = 2


@dataclass(frozen=True)
class Places:
    """How much one worker process does at once: Pulumi operations, about 250 MB each, and checks, which wait."""

    pulumi_operations: int = PULUMI_OPERATIONS
    checks: int = CHECKS


def kind_of(activity: str) -> Kind:
    """The kind of work that an activity is, by its name."""
    if activity in RUN_PULUMI:
        return "cells"
    return "checks" if activity in WAIT_LONG else "workflows"


def queue_of(task_queue: str, kind: Kind) -> str:
    """The task queue of ``kind`` where ``task_queue`` is that of the workflows."""
    return task_queue if kind == "workflows" else f"{task_queue}-{kind}"


def kinds_from(text: str) -> tuple[Kind, ...]:
    """``"cells, checks"`` as kinds, in the order of KINDS; all where nothing is named. Raises WorkerSettingRefused."""
    named = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(named - set(KINDS))
    if unknown:
        raise WorkerSettingRefused(
            f"{unknown[0]} is no kind of work", next_step=f"name some of {', '.join(KINDS)}, with commas between"
        )
    return tuple(kind for kind in KINDS if kind in named) or KINDS


def places_from(environ: Mapping[str, str]) -> Places:
    """As ADX_MAX_PULUMI_OPERATIONS and ADX_MAX_CHECKS say. Raises WorkerSettingRefused."""
    return Places(
        _number(environ, "ADX_MAX_PULUMI_OPERATIONS", PULUMI_OPERATIONS), _number(environ, "ADX_MAX_CHECKS", CHECKS)
    )


def cells_at_once_from(environ: Mapping[str, str]) -> int:
    """How many cells of an environment that declares no number work side by side. Raises WorkerSettingRefused."""
    return _number(environ, "ADX_CELLS_AT_ONCE", CELLS_AT_ONCE)


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1000):
        raise WorkerSettingRefused(f"{name} is {text!r}", next_step=f"set {name} to a number from 1 to 1000")
    return int(text)
