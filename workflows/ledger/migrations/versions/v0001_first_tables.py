"""The first tables of the ledger, and the triggers that keep the audit trail append-only."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_TABLES = """
CREATE TABLE environments (
    name text PRIMARY KEY,
    delivered_commit text,
    delivered_state_digest text,
    last_good_snapshot text,
    fencing_token bigint NOT NULL DEFAULT 0,
    frozen_reason text
);

CREATE TABLE fencing_tokens (
    environment text NOT NULL REFERENCES environments (name),
    token bigint NOT NULL,
    rollout_id text NOT NULL,
    holder text NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, token)
);
CREATE INDEX fencing_tokens_by_rollout ON fencing_tokens (environment, rollout_id);

CREATE TABLE rollouts (
    id text PRIMARY KEY,
    environment text NOT NULL REFERENCES environments (name),
    kind text NOT NULL,
    commit text NOT NULL,
    base_commit text,
    status text NOT NULL,
    requested_by text NOT NULL,
    source text NOT NULL,
    change_set jsonb,
    plan_digest text,
    failure jsonb,
    restored_to text,
    restore_verified boolean,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
);
CREATE INDEX rollouts_newest_first ON rollouts (environment, started_at DESC);

CREATE TABLE steps (
    rollout_id text NOT NULL REFERENCES rollouts (id),
    sequence integer NOT NULL,
    name text NOT NULL,
    unit text NOT NULL DEFAULT '',
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    detail jsonb NOT NULL DEFAULT '{}'::jsonb,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (rollout_id, sequence)
);
CREATE UNIQUE INDEX steps_once ON steps (rollout_id, name, unit);

CREATE TABLE idempotent_results (
    key text PRIMARY KEY,
    result jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idempotent_results_by_age ON idempotent_results (recorded_at);

CREATE TABLE units (
    environment text NOT NULL REFERENCES environments (name),
    unit text NOT NULL,
    status text NOT NULL,
    digest text,
    commit text NOT NULL,
    rollout_id text NOT NULL REFERENCES rollouts (id),
    fencing_token bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, unit)
);

CREATE TABLE rollout_units (
    rollout_id text NOT NULL REFERENCES rollouts (id),
    unit text NOT NULL,
    environment text NOT NULL REFERENCES environments (name),
    status text NOT NULL,
    digest text,
    commit text NOT NULL,
    fencing_token bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (rollout_id, unit)
);
CREATE INDEX rollout_units_by_unit ON rollout_units (environment, unit);

CREATE TABLE quarantine (
    environment text NOT NULL REFERENCES environments (name),
    commit text NOT NULL,
    reason text NOT NULL,
    rollout_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, commit)
);

CREATE TABLE webhook_deliveries (
    delivery_id text PRIMARY KEY,
    event text NOT NULL,
    receipt text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (received_at);
"""

# A sequence without gaps, one successor per hash, and no way to change a row: the trail can only grow at its end.
_AUDIT = """
CREATE TABLE audit (
    sequence bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    key text NOT NULL UNIQUE,
    actor text NOT NULL,
    source text NOT NULL,
    action text NOT NULL,
    environment text,
    commit text,
    detail json NOT NULL,
    previous_hash text NOT NULL UNIQUE,
    hash text NOT NULL UNIQUE,
    CONSTRAINT audit_has_no_control_characters
        CHECK (concat(key, actor, source, action, environment, commit) !~ '[[:cntrl:]]')
);
CREATE INDEX audit_by_environment ON audit (environment, sequence);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = 'the audit trail is append-only, refused: ' || TG_OP;
END;
$$;

CREATE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
-- Also refused while a replication role would silence ordinary triggers.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_rows_stay;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_not_emptied;
"""


def upgrade() -> None:
    """Create everything."""
    # The driver's own cursor, which takes several statements at once: SQLAlchemy would read `::jsonb` as a parameter.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(_TABLES)
    cursor.execute(_AUDIT)
    cursor.close()


def downgrade() -> None:
    """Refuse: the audit trail would be lost."""
    message = "the ledger is never migrated backwards: restore a dump instead"
    raise RuntimeError(message)
