"""Run by Alembic: migrate on the connection that ``migrator`` hands over."""

from __future__ import annotations

from alembic import context

from workflows.configuration.repository import schema_version


def run() -> None:
    """Migrate on the caller's connection, which holds the lock."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        message = "run migrations through ConfigurationStore.migrate: it holds the lock that makes them safe"
        raise RuntimeError(message)
    context.configure(connection=connection, version_table=schema_version.TABLE)
    with context.begin_transaction():
        context.run_migrations()


run()
