"""The ledger's tables, for building statements. What is in the database is decided by ``migrations/``.

A test compares the two, so that they cannot drift apart.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

metadata = MetaData()


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())


def _later(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


environments = Table(
    "environments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("delivered_commit", Text),
    Column("delivered_state_digest", Text),
    Column("last_good_snapshot", Text),
    Column("fencing_token", BigInteger, nullable=False, server_default="0"),
    Column("frozen_reason", Text),
)

fencing_tokens = Table(
    "fencing_tokens",
    metadata,
    Column("environment", ForeignKey("environments.name"), primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("rollout_id", Text, nullable=False),
    # Which attempt inside the rollout; the rollout itself for its first token.
    Column("holder", Text, nullable=False),
    _now("issued_at"),
    Index("fencing_tokens_by_rollout", "environment", "rollout_id"),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("base_commit", Text),
    Column("status", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("change_set", JSONB(none_as_null=True)),
    Column("plan_digest", Text),
    Column("failure", JSONB(none_as_null=True)),
    Column("restored_to", Text),
    Column("restore_verified", Boolean),
    _now("started_at"),
    _later("finished_at"),
    Index("rollouts_newest_first", "environment", text("started_at DESC")),
)

steps = Table(
    "steps",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    # Empty for a step of the rollout as a whole: NULLs would not be equal in the unique index.
    Column("unit", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _now("started_at"),
    _later("finished_at"),
    Index("steps_once", "rollout_id", "name", "unit", unique=True),
)

idempotent_results = Table(
    "idempotent_results",
    metadata,
    Column("key", Text, primary_key=True),
    Column("result", JSONB, nullable=False),
    _now("recorded_at"),
    Index("idempotent_results_by_age", "recorded_at"),
)

units = Table(
    "units",
    metadata,
    Column("environment", ForeignKey("environments.name"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("digest", Text),
    Column("commit", Text, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=False),
    Column("fencing_token", BigInteger, nullable=False),
    _now("updated_at"),
)

rollout_units = Table(
    "rollout_units",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("status", Text, nullable=False),
    Column("digest", Text),
    Column("commit", Text, nullable=False),
    Column("fencing_token", BigInteger, nullable=False),
    _now("updated_at"),
    Index("rollout_units_by_unit", "environment", "unit"),
)

# Every state that a unit ever had, in order: the two tables above keep the last one only.
unit_history = Table(
    "unit_history",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("unit", Text, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("digest", Text),
    Column("commit", Text, nullable=False),
    Column("version", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("from_status", Text),
    Column("from_digest", Text),
    Column("from_commit", Text),
    _now("at"),
    Index("unit_history_by_unit", "unit", "environment", "sequence"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("environment", ForeignKey("environments.name"), primary_key=True),
    Column("commit", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("rollout_id", Text, nullable=False),
    _now("at"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("head", Text, primary_key=True),
    Column("base", Text, nullable=False),
    Column("pull_request", BigInteger),
    Column("binding", JSONB, nullable=False),
    Column("recorded_by", Text, nullable=False),
    _now("recorded_at"),
    Index("reviews_newest_first", "environment", text("recorded_at DESC")),
)

cells = Table(
    "cells",
    metadata,
    Column("stack", Text, primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("rollout_id", Text, nullable=False),
    Column("holder", Text, nullable=False),
    _now("claimed_at"),
)

drift_checks = Table(
    "drift_checks",
    metadata,
    Column("environment", ForeignKey("environments.name"), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("rollout_id", Text, nullable=False, server_default=""),
    Column("compared", BigInteger, nullable=False, server_default="0"),
    _later("compared_at"),
    Column("strays", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("not_healed", Text, nullable=False, server_default=""),
    # What the git hosting was told last, so that it is told changes only.
    Column("told", Text, nullable=False, server_default=""),
)

drift_units = Table(
    "drift_units",
    metadata,
    Column("environment", ForeignKey("environments.name"), primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("checked_at", DateTime(timezone=True), nullable=False),
    _later("drifted_since"),
    Column("objects", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    # How often in a row it was healed and drifted again.
    Column("heals", Integer, nullable=False, server_default="0"),
    _later("healed_at"),
    Column("heal_rollout", Text, nullable=False, server_default=""),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("environment", Text),
    Column("commit", Text),
    # JSON, not JSONB: the hash is over the text as it was written.
    Column("detail", JSON, nullable=False),
    # Unique, so that the trail cannot fork.
    Column("previous_hash", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    CheckConstraint(
        "concat(key, actor, source, action, environment, commit) !~ '[[:cntrl:]]'",
        name="audit_has_no_control_characters",
    ),
    Index("audit_by_environment", "environment", "sequence"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    # Which call received it, so that a repeated call knows its own row.
    Column("receipt", Text, nullable=False),
    _now("received_at"),
    Index("webhook_deliveries_by_age", "received_at"),
)
