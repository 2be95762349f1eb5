"""Run by Alembic: migrate on the connection that ``workflows.ledger.migrator`` hands over."""

from __future__ import annotations

from alembic import context

from workflows.ledger import schema_version
from workflows.ledger.tables import metadata


def run() -> None:
    """Migrate in the transaction that the caller opened and will commit."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        message = "run migrations through workflows.ledger (Ledger.migrate): it holds the lock that makes them safe"
        raise RuntimeError(message)
    context.configure(connection=connection, target_metadata=metadata, version_table=schema_version.TABLE)
    with context.begin_transaction():
        context.run_migrations()


run()
