"""Runs the Alembic migrations of the configuration's tables, one process at a time.

PostgreSQL: all in one transaction, under an advisory lock of the transaction.
MariaDB: every statement commits for itself, so each is harmless when repeated;
a named lock of the session keeps others waiting, and is given back at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from workflows.configuration.errors import StoreBusy, StoreTooNew
from workflows.configuration.repository import schema_version

_LOCK = 0x0ADC0F16  # any constant that nothing else in the database uses
_LOCK_NAME = "adx_configuration_migration"
_LOCK_WAIT_SECONDS = 60


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file; ``connection`` is used as it is."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> str:
    """Upgrade to the newest version and return it. Raises StoreTooNew, and StoreBusy when the lock is not to be had."""
    with _lock(connection):
        config = configuration(connection)
        _refuse_newer(connection, config)
        command.upgrade(config, "head")
    return schema_version.HEAD


def _refuse_newer(connection: Connection, config: Config) -> None:
    context = MigrationContext.configure(connection, opts={"version_table": schema_version.TABLE})
    found = context.get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreTooNew(
            f"the tables of the configuration are of version {found}, which this ADX does not know",
            next_step="run the newer version of ADX that migrated them",
        )


@contextmanager
def _lock(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield
        return
    wanted = {"name": _LOCK_NAME, "wait": _LOCK_WAIT_SECONDS}
    if connection.scalar(text("SELECT GET_LOCK(:name, :wait)"), wanted) != 1:
        raise StoreBusy("another process is migrating the tables of the configuration", next_step="try again")
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK_NAME})
