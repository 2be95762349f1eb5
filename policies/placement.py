"""Which Pulumi stack holds a unit. Pure.

The platform and the services of an environment share the environment's own
stack. Tenants are spread over ``cells`` stacks, each of a size that an engine
handles quickly; with no cells they live in the environment's own stack too.
A tenant's cell follows from its name and the number of cells alone, so that a
reviewer, a worker and a restore all look in the same place without asking.
"""

from __future__ import annotations

import hashlib

import msgspec

from policies.desired_state import DesiredState

SEPARATOR = "."
_TENANT = "tenant/"


def cell_of(tenant: str, cells: int) -> int:
    """The number (from 1) of the cell of ``tenant``."""
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:8]) % cells + 1


def stack_of(unit_id: str, environment: str, cells: int) -> str:
    """The name of the stack that holds the unit."""
    if cells == 0 or not unit_id.startswith(_TENANT):
        return environment
    return cell_stack(environment, cell_of(unit_id.removeprefix(_TENANT), cells))


def cell_stack(environment: str, cell: int) -> str:
    """The name of the stack of one cell: ``production.cell-007``."""
    return f"{environment}{SEPARATOR}cell-{cell:03}"


def environment_of(stack: str) -> str:
    """The environment that the stack belongs to; a name of an environment holds no dot."""
    return stack.partition(SEPARATOR)[0]


def stacks_of(state: DesiredState) -> tuple[str, ...]:
    """Every stack that holds something of ``state``: the environment's own first, then the cells in order."""
    found = {stack_of(unit.id, state.environment, state.cells) for unit in state.units} | {state.environment}
    return tuple(sorted(found))


def part_of(state: DesiredState, stack: str) -> DesiredState:
    """What of ``state`` lives in ``stack``."""
    units = tuple(unit for unit in state.units if stack_of(unit.id, state.environment, state.cells) == stack)
    return msgspec.structs.replace(state, units=units)
