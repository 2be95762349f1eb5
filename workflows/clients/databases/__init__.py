"""Databases that are migrated, behind one interface: PostgreSQL (psycopg) and MySQL or MariaDB (PyMySQL in threads)."""

from __future__ import annotations

from workflows.clients.databases.address import DatabaseAddress
from workflows.clients.databases.interface import Database
from workflows.clients.databases.interface_types import Feature
from workflows.clients.databases.limits import Limits, LockPatience

__all__ = ["Database", "DatabaseAddress", "Feature", "Limits", "LockPatience", "open_database"]


def open_database(address: DatabaseAddress, patience: LockPatience | None = None) -> Database:
    """The client for ``address``; it connects when it is first asked. Close it, or use it as a context manager."""
    if address.engine == "postgresql":
        from workflows.clients.databases.postgresql import PostgresSession  # noqa: PLC0415 - one driver is enough

        return Database(lambda: PostgresSession.connect(address), patience or LockPatience())
    from workflows.clients.databases.mysql import MySqlSession  # noqa: PLC0415 - one driver is enough

    return Database(lambda: MySqlSession.connect(address), patience or LockPatience())
