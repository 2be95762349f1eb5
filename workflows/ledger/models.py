"""What the ledger returns: immutable records, one per table. Times are aware datetimes in UTC.

Only data: no database, no Temporal. JSON goes in and out as plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec

from workflows.models import Outcome, RolloutKind

RolloutState = Literal["running", "waiting-for-approval", Outcome]
StepState = Literal["running", "succeeded", "failed", "cancelled", "skipped"]
UnitStatus = Literal["applying", "applied", "removed", "restoring", "restored", "failed", "frozen"]
JsonObject = dict[str, Any]

RecordType = TypeVar("RecordType", bound="Record")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every record."""


class Environment(Record, frozen=True, kw_only=True):
    """One environment. ``delivered_*`` and ``last_good_snapshot`` are None before the first delivery."""

    name: str
    delivered_commit: str | None
    delivered_state_digest: str | None
    last_good_snapshot: str | None
    fencing_token: int
    frozen_reason: str | None


class NewRollout(Record, frozen=True, kw_only=True):
    """What is known when a rollout starts. ``id`` is the workflow's id; ``source`` says where the wish came from."""

    id: str
    environment: str
    kind: RolloutKind
    commit: str
    requested_by: str
    source: str
    base_commit: str | None = None


class Rollout(Record, frozen=True, kw_only=True):
    """One rollout; ``finished_at`` is None while it runs, ``restore_verified`` None where nothing was restored."""

    id: str
    environment: str
    kind: RolloutKind
    commit: str
    base_commit: str | None
    status: RolloutState
    requested_by: str
    source: str
    change_set: JsonObject | None
    plan_digest: str | None
    failure: JsonObject | None
    restored_to: str | None
    restore_verified: bool | None
    started_at: datetime
    finished_at: datetime | None


class Step(Record, frozen=True, kw_only=True):
    """One step of a rollout, in order of ``sequence``; ``unit`` is None for a step of the rollout as a whole."""

    rollout_id: str
    sequence: int
    name: str
    unit: str | None
    status: StepState
    attempts: int
    detail: JsonObject
    started_at: datetime
    finished_at: datetime | None


class UnitRecord(Record, frozen=True, kw_only=True):
    """What became of one unit: last of all (``units``), or in one rollout (``rollout_units``)."""

    environment: str
    unit: str
    status: UnitStatus
    digest: str | None
    commit: str
    rollout_id: str
    fencing_token: int
    updated_at: datetime


class UnitChange(Record, frozen=True, kw_only=True):
    """One unit got into another state. ``from_*`` are None for its first; ``version`` where it has one (services).

    ``reason`` says why it was restored or needs an operator, where that is known for this unit.
    """

    sequence: int
    environment: str
    unit: str
    rollout_id: str
    status: UnitStatus
    digest: str | None
    commit: str
    version: str | None
    reason: str
    from_status: UnitStatus | None
    from_digest: str | None
    from_commit: str | None
    at: datetime


class RolloutHistory(Record, frozen=True, kw_only=True):
    """A rollout with its steps and units, as `adx history` and `adx show` print it."""

    rollout: Rollout
    steps: tuple[Step, ...]
    units: tuple[UnitRecord, ...]


class Review(Record, frozen=True, kw_only=True):
    """A plan that reviewers were shown: ``binding`` is an ``infra.binding.PlanBinding`` as plain JSON.

    ``head`` is the commit that was previewed; ``pull_request`` is None where no
    pull request was named.
    """

    environment: str
    digest: str
    head: str
    base: str
    binding: JsonObject
    recorded_by: str
    pull_request: int | None = None
    recorded_at: datetime | None = None


class Quarantined(Record, frozen=True, kw_only=True):
    """A commit that is not tried again in this environment."""

    environment: str
    commit: str
    reason: str
    rollout_id: str
    at: datetime


class AuditEntry(Record, frozen=True, kw_only=True):
    """What to write into the audit trail. ``key`` names the event: written twice, it is kept once."""

    key: str
    actor: str
    source: str
    action: str
    environment: str | None = None
    commit: str | None = None
    detail: JsonObject = {}


class AuditRow(Record, frozen=True, kw_only=True):
    """One row of the trail. ``hash`` covers the row and ``previous_hash``; both are hex."""

    sequence: int
    at: datetime
    key: str
    actor: str
    source: str
    action: str
    environment: str | None
    commit: str | None
    detail: JsonObject
    previous_hash: str
    hash: str


class AuditHead(Record, frozen=True, kw_only=True):
    """The end of the trail at some moment. Kept elsewhere, it proves later that nothing was cut off or rewritten."""

    sequence: int
    hash: str


class StoredResult(Record, frozen=True, kw_only=True):
    """The result of an operation done before under this key; ``result`` may be None."""

    key: str
    result: Any
    recorded_at: datetime


def record_of(kind: type[RecordType], row: Mapping[Any, Any]) -> RecordType:
    """``row`` as a record, checked: a row that does not fit is a bug or a hand-made change."""
    # SQLAlchemy's keys can be a subclass of str, which msgspec does not take.
    return msgspec.convert({str(name): _in_utc(value) for name, value in row.items()}, kind)


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
