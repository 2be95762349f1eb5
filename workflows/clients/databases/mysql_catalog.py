"""The catalog of one MySQL or MariaDB database in its normal form, from what SHOW CREATE and information_schema say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence

from policies.migrations.catalog import Catalog, collected
from policies.migrations.history import OWN_TABLES
from policies.migrations.lexer import tokens
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Row

Execute = Callable[[str, Sequence[object]], Awaitable[list[Row]]]
Objects = dict[str, dict[str, str]]

_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_DEFINER = re.compile(r" DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`")
_COLUMN = re.compile(r"`(?P<name>(?:[^`]|``)+)` (?P<rest>.*)\Z", re.DOTALL)
_NAMED = re.compile(r"(?P<kind>[A-Z ]*?(?:KEY|INDEX|CONSTRAINT)) `(?P<name>(?:[^`]|``)+)` (?P<rest>.*)\Z", re.DOTALL)


async def read_catalog(execute: Execute, database: str) -> Catalog:
    """Everything in ``database`` but ADX's own tables."""
    objects: Objects = defaultdict(dict)
    columns: dict[str, tuple[str, ...]] = {}
    listed = await execute(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s ORDER BY 1", (database,)
    )
    for name, kind in [(str(name), str(kind)) for name, kind in listed if name not in OWN_TABLES]:
        shown = await execute(f"SHOW CREATE TABLE {quoted('mysql', name)}", ())
        text = _without(str(shown[0][1]), database)
        if "VIEW" in kind:
            objects[f"view {name}"]["definition"] = text
        elif kind == "SEQUENCE":
            objects[f"sequence {name}"]["definition"] = text
        else:
            columns[f"table {name}"] = _read_table(objects[f"table {name}"], text)
    await _read_routines(execute, database, objects)
    await _read_grants(execute, database, objects)
    return collected("mysql", objects, columns)


def _read_table(attributes: dict[str, str], text: str) -> tuple[str, ...]:
    """Take a table apart at the commas between its parts; the names of its columns."""
    opening, closing = text.index("("), text.rindex(")")
    attributes["options"] = _COUNTER.sub("", text[closing + 1 :]).strip()
    names = []
    for part in _parts(text[opening + 1 : closing]):
        column, named = _COLUMN.match(part), _NAMED.match(part)
        if column is not None:
            names.append(column["name"])
            attributes[f"column {column['name']}"] = column["rest"]
        elif named is not None:
            kind = named["kind"].lower()
            what = "constraint" if kind == "constraint" else "index"
            attributes[f"{what} {named['name']}"] = f"{named['kind']} {named['rest']}"
        else:
            attributes[part.partition(" (")[0].lower()] = part
    return tuple(names)


def _parts(body: str) -> Iterator[str]:
    depth, start = 0, 0
    for token in tokens(body, "mysql"):
        piece = body[token.start : token.end] if token.kind == "other" else ""
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            yield body[start : token.start].strip()
            start = token.end
    yield body[start:].strip()


async def _read_routines(execute: Execute, database: str, objects: Objects) -> None:
    triggers = await execute(
        "SELECT event_object_table, trigger_name, action_timing, event_manipulation, action_order, action_statement"
        " FROM information_schema.triggers WHERE trigger_schema = %s",
        (database,),
    )
    for table, name, timing, event, order, text in triggers:
        objects[f"table {table}"][f"trigger {name}"] = f"{timing} {event} {order} {text}"
    routines = await execute(
        "SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = %s", (database,)
    )
    for kind, name in routines:
        shown = await execute(f"SHOW CREATE {kind} {quoted('mysql', str(name))}", ())
        objects[f"{str(kind).lower()} {name}"]["definition"] = _without(str(shown[0][2]), database)
    events = await execute(
        "SELECT event_name, status, coalesce(interval_value, execute_at), interval_field, event_definition"
        " FROM information_schema.events WHERE event_schema = %s",
        (database,),
    )
    for name, *rest in events:
        objects[f"event {name}"]["definition"] = " ".join(str(part) for part in rest if part is not None)


async def _read_grants(execute: Execute, database: str, objects: Objects) -> None:
    rows = await execute(
        "SELECT table_name, grantee, GROUP_CONCAT(privilege_type ORDER BY privilege_type)"
        " FROM information_schema.table_privileges WHERE table_schema = %s GROUP BY 1, 2",
        (database,),
    )
    for table, grantee, privileges in rows:
        if f"table {table}" in objects:
            objects[f"table {table}"][f"grant {grantee}"] = str(privileges)


def _without(text: str, database: str) -> str:
    """``text`` without the database's name and without who defined it: scratch databases differ in both."""
    return _DEFINER.sub("", text.replace(f"{quoted('mysql', database)}.", ""))
