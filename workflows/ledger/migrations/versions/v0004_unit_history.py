"""Every state that a unit ever had, so that it can be told how it got where it is.

What earlier rollouts left of it, the last state in each, is taken over.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE unit_history (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL REFERENCES environments (name),
    unit text NOT NULL,
    rollout_id text NOT NULL REFERENCES rollouts (id),
    status text NOT NULL,
    digest text,
    commit text NOT NULL,
    version text,
    reason text NOT NULL DEFAULT '',
    from_status text,
    from_digest text,
    from_commit text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX unit_history_by_unit ON unit_history (unit, environment, sequence);

INSERT INTO unit_history
    (environment, unit, rollout_id, status, digest, commit, from_status, from_digest, from_commit, at)
SELECT environment, unit, rollout_id, status, digest, commit, lag(status) OVER earlier, lag(digest) OVER earlier,
    lag(commit) OVER earlier, updated_at
FROM rollout_units
WINDOW earlier AS (PARTITION BY environment, unit ORDER BY updated_at, rollout_id)
ORDER BY updated_at, rollout_id, unit;
"""


def upgrade() -> None:
    """Create the table and fill it."""
    op.execute(_TABLES)
