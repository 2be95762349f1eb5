"""Finds what is really one thing under another name: a unit that goes and one that comes, equal but for the name.

To the engine a rename is a deletion and a creation: the data of the old one
does not move. Pure, and linear in the number of units: units are matched by
digests of what they share, never one by one with all others.

A tenant is never deleted and created anew by one change: rollouts refuse it,
and previews say so (:func:`recreations`). Services hold nothing that
their successor does not bring, so their renames are only told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from policies.change_set import ChangeSet, UnitChange
from policies.desired_state import PlatformInputs, ServiceInputs, TenantInputs, Unit, UnitInputs, digest_of
from policies.spec import Spec

_NAME = "\0name"
_DERIVED = ("environment", "platform_namespace", "namespace")
_TENANT = "tenant/"
_SHARED_ROWS = "shared_schema"
# What somebody does who really wants it: two deliveries, between which the tenant is gone.
WAY_OUT = "keep the name; or, to lose what is there, merge the removal, let it be delivered, then merge the new one"


class Rename(Spec):
    """A unit that would go under one name and come under another: deleted and created anew, with all it holds.

    ``before`` and ``after`` are unit ids; equal where a unit keeps its name and loses its namespace.
    """

    before: str
    after: str
    why: str


@dataclass(frozen=True)
class _Clue:
    """A way to tell that two units are one thing. ``keys`` gives what both must share (any of it)."""

    keys: Callable[[UnitInputs], Iterator[str]]
    why: Callable[[UnitInputs], str]


def renames(change_set: ChangeSet) -> tuple[Rename, ...]:
    """Pairs of a removed and an added unit, ordered by the removed one; each unit is in one pair at most.

    Strong clues are used up before weaker ones; among several that fit equally
    well the first by id goes with the first by id.
    """
    removed = {change.unit: change.before for change in change_set.changes if change.after is None and change.before}
    added = {change.unit: change.after for change in change_set.changes if change.before is None and change.after}
    found: list[Rename] = []
    for clue in _CLUES:
        if removed and added:
            found += _matched(removed, added, clue)
    return tuple(sorted(found, key=lambda rename: rename.before))


def recreations(change_set: ChangeSet) -> tuple[Rename, ...]:
    """Tenants that the change would delete and create anew, ordered by what they are called now.

    They go under one name and come under another, or their namespace becomes another one.
    """
    renamed = [one for one in renames(change_set) if one.before.startswith(_TENANT)]
    moved = [_moved(change) for change in change_set.changes]
    return tuple(sorted([*renamed, *(one for one in moved if one)], key=lambda rename: rename.before))


def _moved(change: UnitChange) -> Rename | None:
    old, new = (unit.inputs if unit is not None else None for unit in (change.before, change.after))
    if not (isinstance(old, TenantInputs) and isinstance(new, TenantInputs)) or old.namespace == new.namespace:
        return None
    assert change.before is not None and change.after is not None  # noqa: S101, PT018 - their inputs were just read
    why = f"another namespace; {_what_it_does(change.before, change.after)}"
    return Rename(before=change.unit, after=change.unit, why=why)


def _matched(removed: dict[str, Unit], added: dict[str, Unit], clue: _Clue) -> Iterator[Rename]:
    """The pairs that ``clue`` finds; they are taken out of both."""
    waiting: dict[str, list[str]] = {}
    for id_, unit in sorted(added.items(), reverse=True):
        for key in clue.keys(unit.inputs):
            waiting.setdefault(key, []).append(id_)
    for id_, unit in sorted(removed.items()):
        successor = _first(waiting, added, clue.keys(unit.inputs))
        if successor is not None:
            del removed[id_]
            does = _what_it_does(unit, added.pop(successor))
            yield Rename(before=id_, after=successor, why=f"{clue.why(unit.inputs)}; {does}")


def _first(waiting: dict[str, list[str]], added: dict[str, Unit], keys: Iterator[str]) -> str | None:
    for key in keys:
        candidates = waiting.get(key, [])
        while candidates:
            id_ = candidates.pop()
            if id_ in added:
                return id_
    return None


def _what_it_does(before: Unit, after: Unit) -> str:
    if isinstance(before.inputs, TenantInputs) and isinstance(after.inputs, TenantInputs):
        return (
            f"deletes namespace {before.inputs.namespace} with everything in it "
            f"and creates {after.inputs.namespace} empty"
        )
    old, new = before.id.partition("/")[2], after.id.partition("/")[2]
    return f"deletes {old} with its pods and its address and creates {new}; whoever still calls {old} finds nothing"


def _whole(inputs: UnitInputs) -> Iterator[str]:
    """Everything but the name and what follows from it."""
    yield f"{type(inputs).__name__} {digest_of(_nameless(inputs))}"


def _all_but_one(inputs: UnitInputs) -> Iterator[str]:
    """A service's image and everything else, each other field left out in turn."""
    if not isinstance(inputs, ServiceInputs):
        return
    nameless = _nameless(inputs)
    parts = nameless.pop("service") | nameless
    for left_out in sorted(parts.keys() - {"image"}):
        yield f"{left_out} {digest_of({name: value for name, value in parts.items() if name != left_out})}"


def _own_database(inputs: UnitInputs) -> Iterator[str]:
    """Where the rows of a tenant live that shares them with nobody."""
    if isinstance(inputs, TenantInputs) and inputs.isolation_strategy != _SHARED_ROWS:
        database = inputs.database
        yield f"{database.engine} {database.name} {database.schema or ''}"


def _title(inputs: UnitInputs) -> Iterator[str]:
    """What people call a tenant, and who answers for it."""
    if isinstance(inputs, TenantInputs) and inputs.display_name:
        yield f"{inputs.owner} {inputs.display_name}"


def _database_words(inputs: UnitInputs) -> str:
    if not isinstance(inputs, TenantInputs):
        return "the same database"
    schema = f", schema {inputs.database.schema}" if inputs.database.schema else ""
    return f"the same database {inputs.database.name}{schema}"


_CLUES = (
    _Clue(_whole, lambda _: "equal but for the name"),
    _Clue(_own_database, _database_words),
    _Clue(_title, lambda _: "the same display name and owner"),
    _Clue(_all_but_one, lambda _: "the same image, and equal but for the name and one field"),
)


def _nameless(inputs: UnitInputs) -> dict[str, Any]:
    """``inputs`` with the own name replaced wherever it stands as a word, and without what follows from it."""
    own = _own_name(inputs)
    spellings = "|".join(re.escape(name) for name in {own, own.replace("-", "_")})
    named = re.compile(rf"(?<![A-Za-z0-9])(?:{spellings})(?![A-Za-z0-9])")
    body: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(inputs).items() if name not in (*_DERIVED, "name")
    }
    if "service" in body:
        body["service"] = {name: value for name, value in body["service"].items() if name != "name"}
    return {name: _renamed(value, named) for name, value in body.items()}


def _own_name(inputs: UnitInputs) -> str:
    if isinstance(inputs, PlatformInputs):
        return inputs.namespace
    return inputs.service.name if isinstance(inputs, ServiceInputs) else inputs.name


def _renamed(value: Any, named: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return named.sub(_NAME, value)
    if isinstance(value, dict):
        return {named.sub(_NAME, key): _renamed(item, named) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, named) for item in value]
    return value
