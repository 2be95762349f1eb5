"""Values as they are, and every version that there ever was.

One statement a table, each harmless when repeated: MariaDB commits after
every one, so a migration that was interrupted is run again from its start.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: tuple[str, ...] | None = None
depends_on: tuple[str, ...] | None = None

_POSTGRES = """
CREATE TABLE IF NOT EXISTS configuration_values (
    id varchar(64) PRIMARY KEY,
    namespace varchar(63) NOT NULL,
    environment varchar(63) NOT NULL,
    service varchar(63) NOT NULL,
    key varchar(128) NOT NULL,
    tenant_id varchar(63) NOT NULL,
    version bigint NOT NULL,
    is_deleted boolean NOT NULL,
    is_secret boolean NOT NULL,
    value text,
    encrypted_value text,
    tags text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by varchar(200) NOT NULL
);
CREATE INDEX IF NOT EXISTS configuration_values_by_service
    ON configuration_values (namespace, environment, service, key);
CREATE TABLE IF NOT EXISTS configuration_versions (
    id varchar(64) NOT NULL,
    version bigint NOT NULL,
    operation varchar(10) NOT NULL,
    is_secret boolean NOT NULL,
    value text,
    encrypted_value text,
    tags text,
    at timestamptz NOT NULL,
    by varchar(200) NOT NULL,
    change_id varchar(200) NOT NULL,
    PRIMARY KEY (id, version)
);
"""

_MYSQL = """
CREATE TABLE IF NOT EXISTS configuration_values (
    id char(64) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
    namespace varchar(63) NOT NULL,
    environment varchar(63) NOT NULL,
    service varchar(63) NOT NULL,
    `key` varchar(128) NOT NULL,
    tenant_id varchar(63) NOT NULL,
    version bigint NOT NULL,
    is_deleted boolean NOT NULL,
    is_secret boolean NOT NULL,
    value mediumtext,
    encrypted_value mediumtext,
    tags mediumtext,
    created_at datetime(6) NOT NULL,
    updated_at datetime(6) NOT NULL,
    updated_by varchar(200) NOT NULL,
    INDEX configuration_values_by_service (namespace, environment, service, `key`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS configuration_versions (
    id char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    version bigint NOT NULL,
    operation varchar(10) NOT NULL,
    is_secret boolean NOT NULL,
    value mediumtext,
    encrypted_value mediumtext,
    tags mediumtext,
    at datetime(6) NOT NULL,
    `by` varchar(200) NOT NULL,
    change_id varchar(200) NOT NULL,
    PRIMARY KEY (id, version)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
"""


def upgrade() -> None:
    """Create the tables."""
    statements = _POSTGRES if op.get_bind().dialect.name == "postgresql" else _MYSQL
    for statement in statements.split(";"):
        if statement.strip():
            op.execute(statement)
