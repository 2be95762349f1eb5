"""What checks for drift found: the last check of each environment, and every unit with how long it has drifted."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE drift_checks (
    environment text PRIMARY KEY REFERENCES environments (name),
    at timestamptz NOT NULL,
    status text NOT NULL,
    commit text NOT NULL,
    reason text NOT NULL DEFAULT '',
    rollout_id text NOT NULL DEFAULT '',
    compared bigint NOT NULL DEFAULT 0,
    compared_at timestamptz,
    strays jsonb NOT NULL DEFAULT '[]'::jsonb,
    not_healed text NOT NULL DEFAULT '',
    told text NOT NULL DEFAULT ''
);

CREATE TABLE drift_units (
    environment text NOT NULL REFERENCES environments (name),
    unit text NOT NULL,
    digest text NOT NULL,
    commit text NOT NULL,
    checked_at timestamptz NOT NULL,
    drifted_since timestamptz,
    objects jsonb NOT NULL DEFAULT '[]'::jsonb,
    heals integer NOT NULL DEFAULT 0,
    healed_at timestamptz,
    heal_rollout text NOT NULL DEFAULT '',
    PRIMARY KEY (environment, unit)
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(_TABLES)
