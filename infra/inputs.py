"""Where the Pulumi program gets its desired state from.

ADX hands it over as a file (``ADX_STACK_INPUTS``). Without that, as in a
reviewer's checkout, it is resolved from the git objects of ``ADX_REF`` (HEAD),
with the commit of each unit that did not change taken from the stack's own
outputs, so that both ways plan the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra.errors import StackInputsInvalid
from policies.desired_state import DesiredState
from policies.placement import environment_of, part_of


def desired_state(stack: str, project: str, environ: Mapping[str, str]) -> DesiredState:
    """What ``stack`` is to hold of its environment; raises StackInputsInvalid, DeclarationError."""
    handed_over = environ.get("ADX_STACK_INPUTS")
    if handed_over:
        return read(Path(handed_over), stack)
    declared = part_of(resolve_checkout(environment_of(stack), environ), stack)
    return with_pinned_commits(declared, delivered_units(stack, project))


def read(path: Path, stack: str) -> DesiredState:
    """The desired state in the JSON file ``path``; refused when it is of another environment than ``stack``."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=DesiredState)
    except (OSError, msgspec.DecodeError) as error:
        raise StackInputsInvalid(f"the desired state in {path} cannot be read: {error}") from error
    if state.environment != environment_of(stack):
        raise StackInputsInvalid(f"the desired state is of environment {state.environment!r}, the stack is {stack!r}")
    return state


def resolve_checkout(environment: str, environ: Mapping[str, str]) -> DesiredState:
    """The desired state of ``environment`` at ``ADX_REF`` of the repository around the working directory."""
    from policies.desired_state import resolve  # noqa: PLC0415 - only a reviewer's run needs the loader
    from policies.git_tree import GitTree  # noqa: PLC0415
    from policies.loader import load  # noqa: PLC0415

    tree = GitTree.open(Path.cwd(), environ.get("ADX_REF", "HEAD"))
    return resolve(load(tree), environment, tree.commit or "")


def delivered_units(stack: str, project: str) -> Mapping[str, Any]:
    """What the stack says about its units: id → digest and commit; empty before the first delivery."""
    import pulumi  # noqa: PLC0415 - the rest of this module serves without it

    outputs = pulumi.runtime.invoke(
        "pulumi:pulumi:readStackOutputs", {"name": f"{pulumi.get_organization()}/{project}/{stack}"}
    ).value
    return ((outputs or {}).get("outputs") or {}).get("units") or {}


def with_pinned_commits(state: DesiredState, delivered: Mapping[str, Any]) -> DesiredState:
    """``state`` in which each unit that is delivered as it is keeps the commit that brought it."""
    units = tuple(
        msgspec.structs.replace(unit, commit=delivered[unit.id]["commit"])
        if delivered.get(unit.id, {}).get("digest") == unit.digest
        else unit
        for unit in state.units
    )
    return msgspec.structs.replace(state, units=units)
