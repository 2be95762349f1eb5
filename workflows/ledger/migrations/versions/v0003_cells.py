"""Claims on the cells of an environment: workers deliver cells of one rollout at once, each fenced by itself."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE cells (
    stack text PRIMARY KEY,
    environment text NOT NULL REFERENCES environments (name),
    token bigint NOT NULL,
    rollout_id text NOT NULL,
    holder text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_TABLES)
