"""What a reviewer saw, as one digest that a rollout can be held to. Pure.

Covers what is delivered now, the inputs of every unit, the objects that they
render, and what the engine would do about them. Left out is what no reviewer
can know or care about: the id of the commit that the merge will make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from infra.engine.plan import Plan, ResourceChange
from infra.metadata import Manifest
from infra.render import render_unit
from policies.change_set import FieldChange, diff
from policies.desired_state import DesiredState, Unit, digest_of
from policies.spec import Spec

COMMIT_LABEL_PATH = "metadata.labels.adx/commit"
DIFFERENCES_SHOWN = 12


class PlanBinding(Spec):
    """A plan in a form that can be compared part by part; ``digest`` is the SHA-256 of all the others.

    ``base[unit]`` and ``inputs[unit]`` are digests of inputs, before and after;
    ``rendered[unit]`` is the digest of the objects of a unit that changes;
    ``actions[name]`` says what happens to an object, with a digest of the
    properties that differ.
    """

    environment: str
    base: dict[str, str]
    inputs: dict[str, str]
    rendered: dict[str, str]
    actions: dict[str, str]
    digest: str = ""


def binding_of(before: DesiredState | None, after: DesiredState, plan: Plan) -> PlanBinding:
    """The binding of ``plan``, which leads from ``before`` (None: nothing is delivered) to ``after``."""
    changed = [change.after for change in diff(before, after).changes if change.after is not None]
    bare = PlanBinding(
        environment=after.environment,
        base={unit.id: unit.digest for unit in before.units} if before is not None else {},
        inputs={unit.id: unit.digest for unit in after.units},
        rendered={unit.id: digest_of(_without_commit(unit)) for unit in changed},
        actions=dict(_actions(plan.changes)),
    )
    return msgspec.structs.replace(bare, digest=digest_of(bare))


def differences(reviewed: PlanBinding, now: PlanBinding) -> tuple[str, ...]:
    """What has moved since the review, a line each for a person; empty when nothing has."""
    lines = [
        *_moved("delivered meanwhile", reviewed.base, now.base),
        *_moved("declared otherwise", reviewed.inputs, now.inputs),
        *_moved("rendered otherwise", reviewed.rendered, now.rendered),
        *_moved("to be done otherwise", reviewed.actions, now.actions),
    ]
    if len(lines) > DIFFERENCES_SHOWN:
        return (*lines[:DIFFERENCES_SHOWN], f"and {len(lines) - DIFFERENCES_SHOWN} more")
    return tuple(lines)


def meaningful(fields: Iterable[FieldChange]) -> tuple[FieldChange, ...]:
    """``fields`` without the label that names the commit."""
    return tuple(field for field in fields if field.path != COMMIT_LABEL_PATH)


def is_relabelled_only(change: ResourceChange) -> bool:
    """Whether the object would only get the name of a newer commit."""
    return change.action == "update" and bool(change.fields) and not meaningful(change.fields)


def _without_commit(unit: Unit) -> list[Manifest]:
    return render_unit(msgspec.structs.replace(unit, commit=""))


def _actions(changes: Iterable[ResourceChange]) -> Iterable[tuple[str, str]]:
    for change in changes:
        if change.unit and not is_relabelled_only(change):
            fields = meaningful(change.fields)
            yield f"{change.type} {change.name}", f"{change.action} {digest_of(fields) if fields else ''}".rstrip()


def _moved(what: str, then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return [f"{name}: {what}" for name in names]
