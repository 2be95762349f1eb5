"""Runs the ledger's Alembic migrations, all in the caller's transaction.

PostgreSQL's DDL is transactional: either all versions arrive or none. An
advisory lock of the transaction, not of the session, lets one process migrate
while others wait, also behind a transaction pooler.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from workflows.ledger import schema_version
from workflows.ledger.errors import LedgerTooNew

_LOCK = 0x0ADC1ED6E4  # any constant that nothing else in the database uses


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file; ``connection`` is used as it is, transaction included."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def current_version(connection: Connection) -> str | None:
    """The version found in the database."""
    context = MigrationContext.configure(connection, opts={"version_table": schema_version.TABLE})
    return context.get_current_revision()


def _refuse_newer(connection: Connection, config: Config) -> None:
    found = current_version(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise LedgerTooNew(
            f"the ledger's tables are of version {found}, which this ADX does not know",
            next_step="run the newer version of ADX that migrated them",
        )


def upgrade(connection: Connection) -> str:
    """Upgrade to the newest version and return it. Raises LedgerTooNew."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = configuration(connection)
    _refuse_newer(connection, config)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerTooNew(f"the ledger cannot be migrated: {error}") from error
    return schema_version.HEAD
