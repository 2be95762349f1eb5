"""Two desired states → change set. Pure data, stable order.

``diff(a, a)`` is empty, and ``apply(diff(a, b), a)`` equals ``b`` when ``b``
was resolved with ``a`` as its previous state (so that units which did not
change carry the same commit in both).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import field

from policies.desired_state import DesiredState, Unit
from policies.errors import AdxError
from policies.spec import Spec
from policies.tenancy.spec import Egress

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


class FieldChange(Spec):
    """One leaf that differs; ``path`` is dotted, ``before``/``after`` are JSON text, None where absent."""

    path: str
    before: str | None
    after: str | None


class UnitChange(Spec):
    """What happens to one unit. ``before`` is None when added, ``after`` None when removed.

    ``fields`` lists what differs of a changed unit, ordered by path; it is
    empty for a unit that is added or removed whole.
    """

    unit: str
    action: Literal["add", "change", "remove"]
    before: Unit | None
    after: Unit | None
    fields: tuple[FieldChange, ...] = ()


class ChangeSet(Spec):
    """The typed difference between two desired states, ordered by unit id.

    ``sources`` are the declarations that were read in another version: path to
    blob id, None where the file is gone.
    """

    environment: str
    base_commit: str | None
    commit: str
    changes: tuple[UnitChange, ...]
    sources: dict[str, str | None] = field(default_factory=dict)
    cells: int = 0

    def is_empty(self) -> bool:
        """Whether no unit is added, changed or removed."""
        return not self.changes


class ChangeSetMismatchError(AdxError):
    """A change set was applied to a state that it was not computed from."""


def diff(before: DesiredState | None, after: DesiredState) -> ChangeSet:
    """What must happen for ``before`` (None: nothing delivered yet) to become ``after``.

    Raises ChangeSetMismatchError when the two are of different environments.
    """
    if before is not None and before.environment != after.environment:
        raise ChangeSetMismatchError(
            f"{before.environment} at {before.commit} and {after.environment} at {after.commit} cannot be compared",
            next_step="compare two commits of the same environment",
        )
    old, new = (before.by_id() if before is not None else {}), after.by_id()
    changes = (_unit_change(id_, old.get(id_), new.get(id_)) for id_ in sorted(old.keys() | new.keys()))
    return ChangeSet(
        environment=after.environment,
        base_commit=before.commit if before is not None else None,
        commit=after.commit,
        changes=tuple(change for change in changes if change is not None),
        sources=_source_changes(before.sources if before is not None else {}, after.sources),
        cells=after.cells,
    )


def apply(change_set: ChangeSet, state: DesiredState | None) -> DesiredState:
    """The state that ``state`` becomes under ``change_set``.

    Raises ChangeSetMismatchError when ``state`` is not what the change set was computed from.
    """
    _check_base(change_set, state)
    units = dict(state.by_id()) if state is not None else {}
    sources: dict[str, str | None] = dict(state.sources) if state is not None else {}
    for change in change_set.changes:
        _check_unit(change, units.pop(change.unit, None), change_set)
        if change.after is not None:
            units[change.unit] = change.after
    sources |= change_set.sources
    return DesiredState(
        environment=change_set.environment,
        commit=change_set.commit,
        units=tuple(units[id_] for id_ in sorted(units)),
        sources={path: oid for path, oid in sources.items() if oid is not None},
        cells=change_set.cells,
    )


def field_changes(before: object, after: object) -> tuple[FieldChange, ...]:
    """The leaves that differ between two specs, ordered by path.

    Things with a name are matched by it, not by their place:
    ``service.ports[http].port``. A list of plain values is one leaf.
    """
    old, new = dict(_leaves(before)), dict(_leaves(after))
    paths = (path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path))
    return tuple(FieldChange(path=path, before=old.get(path), after=new.get(path)) for path in paths)


def _unit_change(id_: str, before: Unit | None, after: Unit | None) -> UnitChange | None:
    if before is None:
        return UnitChange(unit=id_, action="add", before=None, after=after)
    if after is None:
        return UnitChange(unit=id_, action="remove", before=before, after=None)
    if before.digest == after.digest:
        return None
    fields = field_changes(before.inputs, after.inputs)
    return UnitChange(unit=id_, action="change", before=before, after=after, fields=fields)


def _source_changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    differing = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {path: after.get(path) for path in differing}


def _check_base(change_set: ChangeSet, state: DesiredState | None) -> None:
    is_same_environment = state is None or state.environment == change_set.environment
    if is_same_environment and (state.commit if state is not None else None) == change_set.base_commit:
        return
    found = f"{state.environment} at {state.commit}" if state is not None else "nothing"
    raise ChangeSetMismatchError(
        f"the change set starts from {change_set.environment} at {change_set.base_commit}, the state is {found}",
        next_step="compute the change set again from the state that is delivered now",
    )


def _check_unit(change: UnitChange, found: Unit | None, change_set: ChangeSet) -> None:
    expected_digest = change.before.digest if change.before is not None else None
    if (found.digest if found is not None else None) != expected_digest:
        raise ChangeSetMismatchError(
            f"{change.unit} of {change_set.environment} is not what the change set to {change_set.commit} expects",
            next_step="compute the change set again from the state that is delivered now",
        )


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and JSON text of every leaf below ``value``; what is None or empty has none."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _leaves(getattr(value, name), _joined(path, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, _joined(path, key))
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{_key(item, index)}]")
    elif value is not None:
        yield path, msgspec.json.encode(value).decode()


def _key(item: object, index: int) -> str:
    """What tells a list's item from its siblings whatever their order."""
    if isinstance(item, Egress):
        return f"{item.cidr}:{item.port}"
    return str(getattr(item, "name", index))


def _joined(path: str, key: str) -> str:
    if not _PLAIN_KEY.match(key):
        return f"{path}[{msgspec.json.encode(key).decode()}]"
    return f"{path}.{key}" if path else key
