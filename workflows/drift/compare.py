"""What was applied and live objects → what has drifted. Pure, in the order of units and objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from infra.engine import state
from infra.engine.events import unit_of as unit_of_urn
from policies.change_set import FieldChange
from policies.masking import Masker
from policies.spec import Spec
from workflows.clients.kubernetes.normalise import normalise, object_id, scaled_workloads, unit_of
from workflows.drift.fields import field_differences
from workflows.drift.findings import DriftedField, DriftedObject, ObjectState
from workflows.drift.owners import ForeignField, foreign_fields, scaler_of

Json = Mapping[str, Any]
REPLICAS = "spec.replicas"
_KUBERNETES = "kubernetes:"


class AppliedObject(Spec):
    """An object as it was applied last, and the unit that it belongs to."""

    unit: str
    body: dict[str, Any]


def applied_objects(export: bytes) -> dict[str, AppliedObject]:
    """Every Kubernetes object of a stack's exported state by its id (``Deployment/boutique/cart``).

    Raises DamagedState.
    """
    resources = state.parse(export).resources
    chosen = (one for one in resources if one.type.startswith(_KUBERNETES) and not one.delete and one.inputs)
    return {object_id(one.inputs): AppliedObject(unit=unit_of_urn(one.urn), body=one.inputs) for one in chosen}


def drifted(applied: Mapping[str, AppliedObject], live: Sequence[Json], masker: Masker) -> tuple[DriftedObject, ...]:
    """What of ``applied`` the cluster has otherwise, or not, and what it has besides.

    ``live`` are the objects of the environment, at least those with its labels.
    """
    found = {object_id(item): item for item in live}
    scaled = scaled_workloads(live)
    objects = [_missing(one) for id_, one in applied.items() if id_ not in found]
    for id_, one in applied.items():
        if id_ in found:
            fields = tuple(_fields(one.body, found[id_], masker, is_scaled=id_ in scaled))
            objects += [_object(one.unit, one.body, "changed", fields)] if fields else []
    objects += [_object(unit_of(item), item, "stray") for id_, item in found.items() if id_ not in applied]
    return tuple(sorted(objects, key=_order))


def _fields(applied: Json, live: Json, masker: Masker, *, is_scaled: bool) -> Iterator[DriftedField]:
    own = normalise(live, is_scaled=is_scaled)
    managed = live["metadata"].get("managedFields") or []
    foreign = list(foreign_fields(applied, own, managed))
    changes = list(field_differences(applied, own))
    told = [change.path for change in changes]
    changes += [one.change for one in foreign if not any(_is_related(one.change.path, path) for path in told)]
    shown = masker.fields(changes, applied["kind"])
    for change, field in zip(changes, shown, strict=True):
        by = _by(change, foreign, scaler=scaler_of(managed))
        yield DriftedField(path=field.path, live=field.after, delivered=field.before, by=by)


def _by(change: FieldChange, foreign: Iterable[ForeignField], *, scaler: str) -> str:
    """Who has set the field now; empty where the API server does not say (who removes a field leaves no trace)."""
    if change.path == REPLICAS and scaler:
        return scaler
    return next((one.manager for one in foreign if _is_related(one.change.path, change.path)), "")


def _is_related(path: str, other: str) -> bool:
    """Whether one of the two is the other or a part of it."""
    shorter, longer = sorted((path, other), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :][:1] in ("", ".", "[")


def _missing(one: AppliedObject) -> DriftedObject:
    return _object(one.unit, one.body, "missing")


def _object(unit: str, body: Json, how: ObjectState, fields: tuple[DriftedField, ...] = ()) -> DriftedObject:
    metadata = body["metadata"]
    namespace = str(metadata.get("namespace") or "")
    return DriftedObject(
        unit=unit, kind=body["kind"], name=metadata["name"], namespace=namespace, state=how, fields=fields
    )


def _order(one: DriftedObject) -> tuple[bool, str, str, str, str]:
    """Strays last: they belong to nothing that was delivered."""
    return one.state == "stray", one.unit, one.kind, one.namespace, one.name
