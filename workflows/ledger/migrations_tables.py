"""Tables of databases that are migrated; what is in the database is decided by ``migrations/``, as for the others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Integer, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from workflows.ledger.tables import metadata

# One body for all schemas that hold the same: a thousand tenants at one version are one row.
database_catalogs = Table(
    "database_catalogs",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)

database_targets = Table(
    "database_targets",
    metadata,
    Column("target", Text, primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("scripts", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("tenants", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("version", Integer),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("catalog", ForeignKey("database_catalogs.digest")),
    Column("operation_id", Text, nullable=False),
    # The claim: whoever claimed the target last may change it.
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Index("database_targets_by_environment", "environment", "scripts"),
)

database_runs = Table(
    "database_runs",
    metadata,
    Column("operation_id", Text, primary_key=True),
    Column("target", ForeignKey("database_targets.target"), primary_key=True),
    Column("environment", ForeignKey("environments.name"), nullable=False),
    Column("from_version", Integer, nullable=False),
    Column("to_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("catalog_before", ForeignKey("database_catalogs.digest")),
    Column("catalog_after", ForeignKey("database_catalogs.digest")),
    # What stood in added tables and columns when the run was done: what differs later was written since.
    Column("written", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("backup", JSONB(none_as_null=True)),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("finished_at", DateTime(timezone=True)),
    Index("database_runs_by_target", "target", text("started_at DESC")),
)
