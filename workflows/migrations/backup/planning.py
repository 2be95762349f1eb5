"""From a migration plan and its server to a backup plan: what is at stake there, and how it is best kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from policies.migrations.spec import Engine
from workflows.clients.databases import Database, DatabaseAddress, record
from workflows.clients.databases.interface_types import TableSize
from workflows.clients.databases.session import Session
from workflows.migrations.backup.choosing import Choice, ServerFacts, against_scripts_of, choose, estimates
from workflows.migrations.backup.models import BackupPlan, Strategy, Throughput
from workflows.migrations.backup.names import address_of, new_backup_id, owner_of, target_of
from workflows.migrations.backup.stakes import Stake, at_stake

_REFERENCES = re.compile(r"REFERENCES (?:[\w\"`]+\.)?(?P<name>\"(?:[^\"]|\"\")+\"|`(?:[^`]|``)+`|\w+)", re.UNICODE)
_CHANGES_OTHERS = re.compile(r"ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)")
_UNCOPYABLE = {
    "postgresql": "SELECT c.relname, CASE WHEN c.relkind = 'p' THEN 'it is partitioned'"
    " WHEN c.relispartition THEN 'it is a partition' WHEN c.relkind <> 'r' THEN 'it is no table'"
    " ELSE 'it inherits, or is inherited from' END FROM pg_class c"
    " WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
    " AND (c.relkind IN ('p', 'f', 'v', 'm') OR c.relispartition"
    " OR EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)))"
    " AND c.relkind NOT IN ('i', 'I')",
    "mysql": "SELECT table_name, CASE WHEN table_type <> 'BASE TABLE' THEN 'it is no table'"
    " ELSE concat('its engine ', engine, ' has no transactions') END FROM information_schema.tables"
    " WHERE table_schema = %s AND (table_type <> 'BASE TABLE' OR engine <> 'InnoDB')"
    " UNION SELECT event_object_table, 'it has triggers, which would run again' FROM information_schema.triggers"
    " WHERE event_object_schema = %s",
}


def scripts_are_enough(plan: MigrationPlan, catalog: Catalog) -> bool:
    """Whether ``plan_backup`` would choose scripts alone where a schema holds ``catalog``. Pure."""
    return not against_scripts_of(_resolved(at_stake(plan, catalog.engine), catalog))


async def plan_backup(
    database: Database,
    plan: MigrationPlan,
    *,
    strategy: Strategy | None = None,
    throughput: Throughput | None = None,
    tenant: str = "",
) -> BackupPlan:
    """How to back up what ``plan`` touches in ``database``: the strategy, why, and how long a restore takes.

    Where a migration is half done, copies of tables would lack that: it is a dump, unless scripts are enough.
    ``strategy`` asks for one; ``throughput`` is what was measured before on this
    server; ``tenant`` makes the backup refuse rows of others (see ``tenants``).
    Changes nothing. Raises BackupRefused, and what the client of the database raises.
    """
    session = await database.session()
    address = await address_of(database)
    catalog = await session.catalog()
    facts = await _facts(session, address, catalog)
    stake = _resolved(at_stake(plan, session.engine), catalog)
    choice = await _choice(session, stake, facts, strategy)
    backup_seconds, restore_seconds = estimates(choice.strategy, facts, stake, throughput or Throughput())
    chosen = [one for one in facts.sizes if _counts(one, choice, stake)]
    return BackupPlan(
        backup_id=new_backup_id(address),
        target=target_of(address),
        owner=owner_of(address),
        engine=session.engine,
        strategy=choice.strategy,
        reason=choice.reason,
        plan=plan,
        tables=stake.tables if choice.strategy != "dump" else (),
        touched=stake.tables,
        touches_all=bool(stake.unknown) or (stake.writes_rows and bool(facts.triggers)),
        named=stake.named,
        undo_writes=stake.undo_writes,
        rows=sum(one.rows or 0 for one in chosen),
        bytes=sum(one.bytes for one in chosen),
        estimated_backup_seconds=backup_seconds,
        estimated_restore_seconds=restore_seconds,
        tenant=tenant,
    )


async def _choice(session: Session, stake: Stake, facts: ServerFacts, wanted: Strategy | None) -> Choice:
    choice = choose(stake, facts, wanted)
    half = (await record.read(session)).unfinished
    if half is not None and wanted is None and choice.strategy == "table_copy":
        return Choice(strategy="dump", reason=f"version {half.version} is half done, and only a dump keeps that")
    return choice


def _counts(size: TableSize, choice: Choice, stake: Stake) -> bool:
    """Whether the backup holds it; rows of a partition are those of its table."""
    return not size.is_part if choice.strategy == "dump" else size.table in stake.tables


async def _facts(session: Session, address: DatabaseAddress, catalog: Catalog) -> ServerFacts:
    if session.engine == "postgresql":
        rows = await session.execute(_UNCOPYABLE["postgresql"], (address.schema,))
        ((may_copy,),) = await session.execute("SELECT has_database_privilege(current_database(), 'CREATE')")
    else:
        rows = await session.execute(_UNCOPYABLE["mysql"], (address.database, address.database))
        ((may_copy,),) = await session.execute(
            "SELECT count(*) FROM information_schema.user_privileges"
            " WHERE privilege_type = 'CREATE' AND replace(grantee, '''', '') = current_user()"
        )
    return ServerFacts(
        sizes=tuple(await session.table_sizes()),
        uncopyable={str(table): str(why) for table, why in rows},
        may_copy=bool(may_copy),
        triggers=tuple(sorted(_with_triggers(catalog))),
    )


def _with_triggers(catalog: Catalog) -> Iterable[str]:
    for name, one in catalog.objects.items():
        if any(attribute.startswith("trigger ") for attribute in one.attributes):
            yield name.removeprefix("table ")


def _resolved(stake: Stake, catalog: Catalog) -> Stake:
    """Names as the server spells them, and the tables that foreign keys drag along.

    A name that is no table (a view that takes writes) is a statement that may touch everything.
    """
    tables = [name.removeprefix("table ") for name in catalog.objects if name.startswith("table ")]
    found = {name: _spelled(name, tables, catalog.engine) for name in (*stake.tables, *stake.named)}
    may_be_missing = {name for name, column in stake.perhaps_there if not column}
    strange = [name for name in stake.tables if not found[name] and name not in may_be_missing]
    known = {real for name in stake.tables for real in found[name]}
    return msgspec.structs.replace(
        stake,
        tables=tuple(sorted(_dragged_along(known, catalog))),
        named=tuple(sorted({real for name in stake.named for real in found[name]})),
        unknown=stake.unknown or (f"{strange[0]} is no table" if strange else ""),
        there_already=next(iter(_there_already(stake, tables, catalog)), ""),
    )


def _there_already(stake: Stake, tables: Sequence[str], catalog: Catalog) -> Iterator[str]:
    """Why scripts alone do not bring back what is there: the plan makes it only where it is missing, or replaces it."""
    for name, column in stake.perhaps_there:
        for table in _spelled(name, tables, catalog.engine):
            columns = catalog.objects[f"table {table}"].columns
            found = [f"{table}.{one}" for one in _spelled(column, columns, catalog.engine)] if column else [table]
            yield from (f"{one} is there already, and what takes the plan back would drop it" for one in found)


def _spelled(name: str, tables: Iterable[str], engine: Engine) -> list[str]:
    """The tables that may be called so: whether MySQL tells `a` from `A` is a setting of the server."""
    if engine == "postgresql":
        return [one for one in tables if one == name]
    return [one for one in tables if one.lower() == name.lower()]


def _dragged_along(tables: set[str], catalog: Catalog) -> set[str]:
    """With all tables whose rows follow those of ``tables`` through foreign keys."""
    children = _followers(catalog)
    found, new = set(tables), set(tables)
    while new:
        new = {child for parent in new for child in children.get(parent, ())} - found
        found |= new
    return found


def _followers(catalog: Catalog) -> Mapping[str, set[str]]:
    children: dict[str, set[str]] = defaultdict(set)
    for name, one in catalog.objects.items():
        for attribute, text in one.attributes.items():
            match = _REFERENCES.search(text) if attribute.startswith("constraint ") else None
            if match is not None and _CHANGES_OTHERS.search(text):
                parent = match["name"]
                mark = parent[0]
                plain = parent[1:-1].replace(mark * 2, mark) if mark in '"`' else parent
                children[plain].add(name.removeprefix("table "))
    return children
