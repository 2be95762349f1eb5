"""Databases that are migrated: what each one holds, what every operation did to it, and catalogs to compare with."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE database_catalogs (
    digest text PRIMARY KEY,
    body jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE database_targets (
    target text PRIMARY KEY,
    environment text NOT NULL REFERENCES environments (name),
    scripts text NOT NULL,
    engine text NOT NULL,
    tenants jsonb NOT NULL DEFAULT '[]'::jsonb,
    version integer,
    status text NOT NULL,
    reason text NOT NULL DEFAULT '',
    catalog text REFERENCES database_catalogs (digest),
    operation_id text NOT NULL,
    token bigint NOT NULL,
    holder text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX database_targets_by_environment ON database_targets (environment, scripts);

CREATE TABLE database_runs (
    operation_id text NOT NULL,
    target text NOT NULL REFERENCES database_targets (target),
    environment text NOT NULL REFERENCES environments (name),
    from_version integer NOT NULL,
    to_version integer NOT NULL,
    status text NOT NULL,
    reason text NOT NULL DEFAULT '',
    catalog_before text REFERENCES database_catalogs (digest),
    catalog_after text REFERENCES database_catalogs (digest),
    written jsonb NOT NULL DEFAULT '{}'::jsonb,
    backup jsonb,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (operation_id, target)
);
CREATE INDEX database_runs_by_target ON database_runs (target, started_at DESC);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(_TABLES)
