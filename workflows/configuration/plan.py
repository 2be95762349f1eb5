"""What a delivery changes in the store, and what brings it back. Pure.

A plan is a body in the snapshot store: it holds values, and secrets in their
forms in Git; histories and the ledger only name it by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from policies.configuration.spec import Scalar
from policies.configuration.values import ConfigurationKey, ConfigurationValue, why_key_is_refused, why_not_on_the_wire
from policies.configuration.values_schemas import why_value_is_refused
from policies.configuration.values_secrets import Ciphertext, is_secret_text, parse_secret, why_secret_is_refused
from policies.desired_state import DesiredState, ServiceInputs
from policies.services.spec import ConfigurationNeed
from policies.spec import Spec
from workflows.configuration.errors import ValueRefused
from workflows.configuration.models import Record, Write


class Planned(Spec):
    """One change. ``before`` is what the store had (None: nothing) in ``version`` (0: none), ``after`` what it gets."""

    key: ConfigurationKey
    before: ConfigurationValue | None
    after: ConfigurationValue | None
    version: int = 0
    tags_before: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def is_delivered(self, record: Record | None) -> bool:
        """Whether the store holds what this change delivers."""
        return is_same(record, self.after, self.tags if self.after else ())

    def is_as_before(self, record: Record | None) -> bool:
        """Whether the store holds what was there before this change."""
        return is_same(record, self.before, self.tags_before if self.before else ())


class ConfigurationPlan(Spec):
    """Every change of one delivery, ordered by key."""

    changes: tuple[Planned, ...]

    def services(self) -> list[str]:
        """Names of the services that read any of it."""
        return sorted({change.key.service for change in self.changes})

    def writes(self) -> list[Write]:
        """What makes it so, where nobody else has changed anything meanwhile."""
        return [
            Write(key=one.key, value=one.after, expected=one.version, tags=one.tags if one.after else ())
            for one in self.changes
        ]

    def undo(self, present: Mapping[ConfigurationKey, Record | None]) -> list[Write]:
        """What brings back those that hold what was delivered, where nobody else has changed them meanwhile."""
        return [
            Write(
                key=one.key,
                value=one.before,
                expected=record.version if (record := present.get(one.key)) else 0,
                tags=one.tags_before if one.before else (),
            )
            for one in self.changes
            if one.is_delivered(present.get(one.key))
        ]

    def not_back(self, present: Mapping[ConfigurationKey, Record | None]) -> list[str]:
        """Those that still hold what was delivered."""
        return [str(one.key) for one in self.changes if one.is_delivered(present.get(one.key))]

    def changed_by_others(self, present: Mapping[ConfigurationKey, Record | None]) -> list[str]:
        """Those that hold neither what was delivered nor what was there before: not ours to undo."""
        return [
            str(one.key)
            for one in self.changes
            if not one.is_delivered(record := present.get(one.key)) and not one.is_as_before(record)
        ]


Tags = Mapping[tuple[str, str], tuple[str, ...]]


def plan_of(
    wanted: Mapping[ConfigurationKey, Scalar], kept: Mapping[ConfigurationKey, Record], tags: Tags
) -> ConfigurationPlan:
    """What differs between ``kept``, all that the store has of the environment, and ``wanted``.

    ``tags[service, key]`` are what configuration.yaml says. Git is the source of truth: what is kept and not wanted
    goes, whoever wrote it.
    """
    changes = [*_written(wanted, kept, tags), *(_removed(record) for key, record in kept.items() if key not in wanted)]
    return ConfigurationPlan(changes=tuple(sorted(changes, key=lambda one: one.key.canonical)))


def value_of(value: Scalar) -> ConfigurationValue:
    """A declared value as the store keeps it."""
    if is_secret_text(value):
        return ConfigurationValue(is_secret=True, encrypted_value=str(value))
    return ConfigurationValue(value=value)


def is_same(record: Record | None, value: ConfigurationValue | None, tags: tuple[str, ...]) -> bool:
    """Whether the store holds exactly that. ``1``, ``1.0`` and ``True`` are three values."""
    if record is None or value is None:
        return record is None and value is None
    return _content(record.value) == _content(value) and record.metadata.tags == tags


def check(plan: ConfigurationPlan, state: DesiredState) -> None:
    """Raise ValueRefused for the first value of ``plan`` that no reader should get.

    The rules have judged the declarations already; a rollback's state was judged by those of its time.
    """
    needs = _needs(state)
    for change in plan.changes:
        why = None if change.after is None else _why_refused(change.key, change.after, needs)
        if why is not None:
            raise ValueRefused(f"{change.key} is refused: {why}", next_step="correct the declaration and merge again")


def sealed_in(plan: ConfigurationPlan) -> list[tuple[ConfigurationKey, str]]:
    """New ciphertexts, which only Vault can say are of their keys."""
    texts = ((one.key, (one.after.encrypted_value or "") if one.after else "") for one in plan.changes)
    return [(key, text) for key, text in texts if isinstance(parse_secret(text), Ciphertext)]


def _written(
    wanted: Mapping[ConfigurationKey, Scalar], kept: Mapping[ConfigurationKey, Record], tags: Tags
) -> Iterator[Planned]:
    for key, scalar in wanted.items():
        value, record, own = value_of(scalar), kept.get(key), tags.get((key.service, key.key), ())
        if is_same(record, value, own):
            continue
        if record is None:
            yield Planned(key=key, before=None, after=value, tags=own)
        else:
            yield msgspec.structs.replace(_removed(record), after=value, tags=own)


def _removed(record: Record) -> Planned:
    before = msgspec.structs.replace(record.value, metadata=None)
    return Planned(key=record.key, before=before, after=None, version=record.version, tags_before=record.metadata.tags)


def _content(value: ConfigurationValue) -> bytes:
    return msgspec.json.encode([value.value, value.is_secret, value.encrypted_value])


def _needs(state: DesiredState) -> dict[tuple[str, str], ConfigurationNeed]:
    services = (unit.inputs.service for unit in state.units if isinstance(unit.inputs, ServiceInputs))
    return {(service.name, need.key): need for service in services for need in service.configuration or ()}


def _why_refused(
    key: ConfigurationKey, value: ConfigurationValue, needs: Mapping[tuple[str, str], ConfigurationNeed]
) -> str | None:
    need = needs.get((key.service, key.key))
    if why := why_key_is_refused(key):
        return why
    if value.is_secret:
        return why_secret_is_refused(value.encrypted_value or "", key)
    if need is not None and need.secret:
        return "it is a secret, and it stands there in clear"
    if why := why_not_on_the_wire(value.value):
        return why
    scalar: Scalar = value.value  # type: ignore[assignment] # what is declared is a scalar
    return why_value_is_refused(scalar, need.schema) if need is not None and need.schema is not None else None
