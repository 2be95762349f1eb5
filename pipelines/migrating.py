"""What `adx migrate` reads and asks: declared versions, folders of scripts, databases. Writes only what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from msgspec import field

from pipelines.settings import Settings
from policies.declarations import Declarations
from policies.errors import AdxError
from policies.findings import suggestion
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree, resolve_ref
from policies.loader import load
from policies.migrations.history import SchemaVersion
from policies.migrations.model import FOLDER, ScriptSet
from policies.migrations.safety.findings import Statistics
from policies.migrations.spec import Engine
from policies.migrations.waivers import load_waivers
from policies.spec import Spec
from scripts.stack import Home, Stack
from scripts.stack.parts import mariadb, postgres
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.migrations.planning import PlannedDatabase, as_declared, planned, statistics

SCRATCH_SETTING = "ADX_MIGRATE_SCRATCH_URL"


class DatabaseNotDeclared(AdxError):
    """There is no such database, or no such environment."""

    exit_code = 6


class Asked(Spec):
    """What `adx migrate plan` was asked for; ``url`` holds a password and is never shown."""

    environments: tuple[str, ...] = ()
    base: str = "HEAD"
    from_version: int | None = None
    url: str | None = field(default=None)
    schema: str = "public"
    database: str | None = None


def scripts_of(folder: Path, database: str) -> ScriptSet:
    """The scripts of one database in the files as they are. Raises DeclarationError, DatabaseNotDeclared."""
    databases = load(FolderTree(folder)).databases
    if database not in databases:
        raise DatabaseNotDeclared(
            f"there are no scripts in {FOLDER}/{database}/",
            next_step=suggestion(database, databases, "run `adx migrate new`"),
        )
    return databases[database]


async def plans(folder: Path, asked: Asked) -> list[PlannedDatabase]:
    """The plan of every database that was asked for, with its findings."""
    commit = resolve_ref(folder, asked.base)
    declared, waivers = load(FolderTree(folder)), load_waivers(folder, commit)
    is_compared = asked.from_version is None and asked.url is None
    before = load(GitTree(folder, commit)) if is_compared else Declarations(environments={}, tenants={})
    found = []
    for environment, scripts, target in _targets(declared, asked):
        recorded, sizes, source = await _recorded(before, environment, scripts, asked)
        found.append(
            planned(
                environment,
                scripts,
                recorded,
                target,
                compared_with=source,
                sizes=sizes,
                waivers=waivers,
                today=today(),
            )
        )
    return found


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def scratch_server(settings: Settings, engine: Engine, url: str | None) -> DatabaseAddress:
    """Where scratch databases are made: the URL, the setting, else the local stack's server."""
    chosen = url or settings.optional(SCRATCH_SETTING)
    if chosen is None:
        home, stack = Home(settings.home), Stack(settings.home)
        if engine == "postgresql":
            chosen = postgres.superuser_url(home, stack.port("postgres", "sql"))
        else:
            chosen = mariadb.root_url(home, stack.port("mariadb", "sql"))
    return DatabaseAddress.parse(chosen)


def folder_of(settings: Settings, database: str) -> Path:
    """The folder of a database's scripts; it may not exist yet. Raises DatabaseNotDeclared."""
    if not database.replace("_", "").replace("-", "").isalnum() or database != database.lower():
        raise DatabaseNotDeclared(f"{database[:40]!r} is no name of a database", next_step="use lower-case letters")
    return settings.folder / FOLDER / database


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name; none where there is no folder."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path.read_bytes() for path in found if path.is_file() and path.name != "README.md"}


def write(folder: Path, files: Mapping[str, bytes], root: Path) -> list[str]:
    """Write files into ``folder``; their paths below ``root``. Scripts are never written over."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        if path.exists() and name.endswith(".sql"):
            raise DatabaseNotDeclared(f"{path} is there already", next_step="give it another description")
        path.write_bytes(data)
    return [(folder / name).relative_to(root).as_posix() for name in files]


def _targets(declared: Declarations, asked: Asked) -> Iterator[tuple[str, ScriptSet, int]]:
    for environment in asked.environments or sorted(declared.environments):
        if environment not in declared.environments:
            fix = suggestion(environment, declared.environments, "name a declared one")
            raise DatabaseNotDeclared(f"there is no environment {environment}", next_step=fix)
        migrations = declared.environments[environment].migrations
        for target in migrations.databases if migrations is not None else ():
            if asked.database in (None, target.name):
                yield environment, declared.databases[target.name], target.version


async def _recorded(
    before: Declarations, environment: str, scripts: ScriptSet, asked: Asked
) -> tuple[SchemaVersion, Statistics, str]:
    """What is applied, the sizes of tables where a server can be asked, and where that comes from."""
    if asked.url is not None:
        address = DatabaseAddress.parse(asked.url, asked.schema)
        async with open_database(address) as database:
            return await database.get_schema_version(), await statistics(database), address.shown()
    if asked.from_version is not None:
        return as_declared(scripts, asked.from_version), Statistics(), f"version {asked.from_version}"
    known = before.environments.get(environment)
    targets = known.migrations.databases if known is not None and known.migrations is not None else ()
    version = next((one.version for one in targets if one.name == scripts.database), 0)
    return as_declared(before.databases.get(scripts.database), version), Statistics(), asked.base
