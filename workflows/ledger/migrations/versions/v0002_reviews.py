"""Plans that were shown to reviewers, so that a rollout can be held to one of them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE reviews (
    environment text NOT NULL,
    digest text NOT NULL,
    head text NOT NULL,
    base text NOT NULL,
    pull_request bigint,
    binding jsonb NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, digest, head)
);
CREATE INDEX reviews_newest_first ON reviews (environment, recorded_at DESC);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(_TABLES)
