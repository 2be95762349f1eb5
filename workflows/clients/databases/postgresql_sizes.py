"""How large PostgreSQL's tables are, by its statistics. A partitioned table holds nothing itself: its leaves do.

They are followed in ``pg_inherits``, which takes no lock: ``pg_partition_tree`` would lock each of thousands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from workflows.clients.databases.interface_types import TableSize
from workflows.clients.databases.session import Row

# Never analysed (reltuples -1) is not the same as empty, unless there is no page of it. What is in the schema is found
# by index, as in ``postgresql_catalog``.
_SIZES = """WITH RECURSIVE mine AS (
    SELECT c.* FROM pg_class c WHERE c.oid = ANY (ARRAY(SELECT d.objid FROM pg_depend d
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = quote_ident(%s)::regnamespace
        AND d.classid = 'pg_class'::regclass))
), parts (root, oid) AS (
    SELECT c.oid, i.inhrelid FROM mine c JOIN pg_inherits i ON i.inhparent = c.oid WHERE c.relkind = 'p'
    UNION ALL SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid
), held (root, row_count, byte_count) AS (
    SELECT t.root, CASE WHEN l.reltuples >= 0 THEN l.reltuples::float8
            WHEN l.relkind <> 'f' AND pg_relation_size(l.oid) = 0 THEN 0 END,
        pg_total_relation_size(l.oid)
    FROM (SELECT root, oid FROM parts UNION ALL SELECT oid, oid FROM mine) t
    JOIN pg_class l ON l.oid = t.oid WHERE l.relkind IN ('r', 'm', 'f')
)
SELECT c.relname,
    CASE WHEN count(*) FILTER (WHERE h.root IS NOT NULL AND h.row_count IS NULL) = 0
        THEN coalesce(sum(h.row_count), 0)::bigint END,
    coalesce(sum(h.byte_count), 0)::bigint, c.oid IN (SELECT oid FROM parts)
FROM mine c LEFT JOIN held h ON h.root = c.oid WHERE c.relkind IN ('r', 'p', 'm')
GROUP BY c.oid, c.relname ORDER BY 1"""


async def read_sizes(execute: Callable[[str, Sequence[object]], Awaitable[list[Row]]], schema: str) -> list[TableSize]:
    """Every table of ``schema``, by name."""
    return [
        TableSize(table=str(name), rows=None if rows is None else int(rows), bytes=int(size), is_part=bool(is_part))
        for name, rows, size, is_part in await execute(_SIZES, (schema,))
    ]
