"""What would be lost when a migration is taken back: rows in tables, and values in columns, that it brought.

When a migration is done, what stands in everything that it added is counted
and summed; before it is taken back, again. What differs was written since, by
somebody who relied on it. A table above ``LARGEST_BYTES`` is not read: then it
is not known, which counts as written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from policies.listing import first_of
from policies.migrations.catalog import Catalog
from workflows.clients.databases import Database
from workflows.clients.databases.quoting import quoted

LARGEST_BYTES = 2_000_000_000
SHOWN = 6
UNKNOWN = "not known"
# The scripts ended where no living attempt saw it.
NOT_SEEN = {"*": UNKNOWN}
NOTHING = "0 0"
_TABLE = "table "
_COLUMN = "column "


class Added(NamedTuple):
    """A table that is new (``column`` empty), or a new column of a table that was there."""

    table: str
    column: str = ""

    def __str__(self) -> str:
        """``orders`` or ``orders.note``."""
        return f"{self.table}.{self.column}" if self.column else self.table


def added(before: Catalog, after: Catalog) -> tuple[Added, ...]:
    """What ``after`` can hold rows or values in, and ``before`` could not."""
    return tuple(sorted(_added(before, after)))


async def written(database: Database, before: Catalog, after: Catalog) -> dict[str, str]:
    """``{name: count and sum}`` of everything that ``after`` has and ``before`` has not."""
    names = added(before, after)
    if not names:
        return {}
    bytes_of = {one.table: one.bytes for one in await database.table_sizes()}
    found = {}
    for name in names:
        if bytes_of.get(name.table, 0) > LARGEST_BYTES:
            found[str(name)] = UNKNOWN
        else:
            ((count, total),) = await database.execute_query(_query(after, name))
            found[str(name)] = f"{count} {total}"
    return found


async def lost(database: Database, known: Mapping[str, str], before: Catalog, now: Catalog) -> tuple[str, ...]:
    """The names of which something was written since ``known``; empty when taking back loses nothing.

    Where nobody has seen what stood there (``NOT_SEEN``), everything that stands there counts as written.
    """
    found = await written(database, before, now)
    unknown = NOTHING if NOT_SEEN.items() <= known.items() else ""
    return tuple(name for name, state in sorted(found.items()) if state == UNKNOWN or known.get(name, unknown) != state)


def named(lost: Sequence[str], most: int = SHOWN) -> str:
    """What is lost, for a person: the first ``most`` by name, and how many more. Pure."""
    return first_of(lost, most)


def _added(before: Catalog, after: Catalog) -> Iterator[Added]:
    for name, new in after.objects.items():
        if not name.startswith(_TABLE):
            continue
        table, old = name.removeprefix(_TABLE), before.objects.get(name)
        if old is None:
            yield Added(table)
            continue
        for attribute in new.attributes.keys() - old.attributes.keys():
            if attribute.startswith(_COLUMN):
                yield Added(table, attribute.removeprefix(_COLUMN))


def _query(catalog: Catalog, name: Added) -> str:
    table, column = name
    name_of = partial(quoted, catalog.engine)
    if catalog.engine == "postgresql":
        counted, value = (name_of(column), name_of(column)) if column else ("*", "t")
        return (
            f"SELECT count({counted}), coalesce(sum(hashtextextended({value}::text, 0)), 0)::text"  # noqa: S608 - quoted names of the catalog
            f" FROM {name_of(table)} t"
        )
    columns = [column] if column else list(catalog.objects[f"{_TABLE}{table}"].columns)
    values = ", ".join(f"COALESCE(HEX({name_of(one)}), '-')" for one in columns)
    counted = name_of(column) if column else "*"
    where = f" WHERE {name_of(column)} IS NOT NULL" if column else ""
    return f"SELECT COUNT({counted}), COALESCE(SUM(CRC32(CONCAT_WS('|', {values}))), 0) FROM {name_of(table)}{where}"  # noqa: S608 - as above
