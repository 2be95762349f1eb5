"""Pure: which workloads a delivery has to wait for, and what their status means."""

from __future__ import annotations

from collections.abc import Collection

from policies.desired_state import DesiredState, ServiceInputs


def workloads_to_await(state: DesiredState, services: Collection[str] | None) -> list[ServiceInputs]:
    """The services of ``state`` that are among ``services`` (None: all), in order of name."""
    found = [unit.inputs for unit in state.units if isinstance(unit.inputs, ServiceInputs)]
    return [inputs for inputs in found if services is None or inputs.service.name in services]
