"""Names on the two servers, and where a backup belongs. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from secrets import token_hex

from workflows.clients.databases import Database, DatabaseAddress

SIDE_PREFIX = "adx_backup_"
ASIDE_PREFIX = "adx_aside_"


def literal(text: str) -> str:
    """A string literal of PostgreSQL, which reads backslashes as they are (``standard_conforming_strings``)."""
    return "'" + text.replace("'", "''") + "'"


def space_of(address: DatabaseAddress) -> str:
    """What holds the tables: the schema in PostgreSQL, the database in MySQL."""
    return address.schema if address.engine == "postgresql" else address.database


def target_of(address: DatabaseAddress) -> str:
    """Which schema a backup is of. Without the host: a server that failed over is the same database elsewhere."""
    schema = f"/{address.schema}" if address.engine == "postgresql" else ""
    return f"{address.engine}/{address.database}{schema}"


def owner_of(address: DatabaseAddress) -> str:
    """The owner of a schema's backups in the snapshot store, whatever characters its name has."""
    return f"migration-backups/{_short(target_of(address), 32)}"


def new_backup_id(address: DatabaseAddress) -> str:
    """Unique, and sorted by time: it becomes part of names on the server."""
    return f"{_short(target_of(address), 8)}_{datetime.now(UTC):%Y%m%d%H%M%S}_{token_hex(3)}"


def side_pattern(address: DatabaseAddress) -> str:
    """The beginning of the names of all side schemas of this target."""
    return f"{SIDE_PREFIX}{_short(target_of(address), 8)}_"


def now_text() -> str:
    """Now, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def address_of(database: Database) -> DatabaseAddress:
    """Where ``database`` is connected to; dump programs and second sessions connect there too."""
    return (await database.session()).address


def _short(text: str, characters: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:characters]
