"""Where the servers of databases are: settings of the worker, never Git.

``ADX_DATABASE_<NAME>_URL`` or, for a file that holds it, ``ADX_DATABASE_<NAME>_URL_FILE``;
``NAME`` is the server's name in migrations.yaml in upper case, ``-`` as ``_``. The
URL's database is where ADX connects to ask which databases there are.
``ADX_DATABASE_<NAME>_AT_ONCE`` is how many databases are migrated side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.migrations.spec import Engine
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.errors import StatementRefused
from workflows.migrations.errors import ServerUnknown, TargetMissing

AT_ONCE = 8
# PostgreSQL has no IF NOT EXISTS for databases. 42P04: it is there; 23505: another session makes it at this moment.
MADE_BY_ANOTHER = ("42P04", "23505")


@dataclass(frozen=True)
class Server:
    """One server; ``at_once`` bounds the databases that are migrated side by side."""

    name: str
    address: DatabaseAddress
    at_once: int

    def of(self, target: MigrationTarget) -> DatabaseAddress:
        """The address of a target on this server."""
        return self.address.at(database=target.database, schema=target.schema or None)


def setting_of(server: str) -> str:
    """``ADX_DATABASE_SHOP_EU_URL`` for ``shop-eu``."""
    return f"ADX_DATABASE_{server.upper().replace('-', '_')}_URL"


def server_of(environ: Mapping[str, str], name: str, engine: Engine) -> Server:
    """The server ``name``. Raises ServerUnknown, AddressInvalid; no message holds the URL."""
    setting = setting_of(name)
    address = DatabaseAddress.parse(_url(environ, setting, name))
    if address.engine != engine:
        raise ServerUnknown(
            f"{setting} is the address of {address.engine}, declared is {engine}",
            next_step="name another server in migrations.yaml, or correct the setting",
        )
    return Server(name, address, _at_once(environ, setting))


def is_known(environ: Mapping[str, str], name: str) -> bool:
    """Whether this process has an address of the server."""
    setting = setting_of(name)
    return bool(environ.get(setting) or environ.get(f"{setting}_FILE"))


async def provide_databases(server: Server, targets: Collection[MigrationTarget]) -> frozenset[str]:
    """Make the databases of new targets that are not there; the names of those that were made.

    Raises TargetMissing for a database that was delivered before and is gone.
    """
    wanted = {one.database for one in targets}
    is_new = {one.database: one.is_new for one in sorted(targets, key=lambda one: one.is_new, reverse=True)}
    async with open_database(server.address) as admin:
        missing = sorted(wanted - await database_names(admin, server.address.engine))
        for name in missing:
            if not is_new[name]:
                raise TargetMissing(
                    f"there is no database {name} on {server.name}, and a version was delivered to it",
                    next_step="look who dropped it; restore it from a backup before anything is delivered",
                )
            await make_database(admin, name, server.address.engine)
    return frozenset(missing)


async def database_names(admin: Database, engine: Engine) -> frozenset[str]:
    """All databases of the server."""
    is_postgresql = engine == "postgresql"
    query = (
        "SELECT datname FROM pg_database" if is_postgresql else "SELECT schema_name FROM information_schema.schemata"
    )
    return frozenset(str(row[0]) for row in await admin.execute_query(query))


async def make_database(admin: Database, name: str, engine: Engine) -> None:
    """Make a database; one that another session has made meanwhile is as good."""
    quoted = _quoted(name, engine=engine)
    if engine == "mysql":
        await admin.execute_query(f"CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4")
        return
    try:
        await admin.execute_query(f"CREATE DATABASE {quoted}")
    except StatementRefused as error:
        if error.code not in MADE_BY_ANOTHER:
            raise


def _quoted(name: str, *, engine: Engine) -> str:
    """Names are lower-case letters, digits and underscores (the tenant's schema says so); quoted all the same."""
    mark = '"' if engine == "postgresql" else "`"
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def quoted_schema(name: str) -> str:
    """A schema of PostgreSQL as it stands in a statement."""
    return _quoted(name, engine="postgresql")


def _url(environ: Mapping[str, str], setting: str, name: str) -> str:
    if url := environ.get(setting):
        return url
    file = environ.get(f"{setting}_FILE")
    if not file:
        raise ServerUnknown(
            f"the database server {name} has no address", next_step=f"set {setting} or {setting}_FILE for the workers"
        )
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServerUnknown(
            f"{setting}_FILE names a file that cannot be read: {type(error).__name__}",
            next_step="let the file hold the URL, readable by the worker",
        ) from error


def _at_once(environ: Mapping[str, str], setting: str) -> int:
    name = setting.removesuffix("_URL") + "_AT_ONCE"
    text = environ.get(name) or str(AT_ONCE)
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 200):
        raise ServerUnknown(f"{name} is {text[:20]!r}", next_step=f"set {name} to a number from 1 to 200")
    return int(text)
