"""The catalog of one PostgreSQL schema in its normal form: one query, texts by the server's own functions.

With the schema alone in ``search_path`` these functions leave its name out, so
that two schemas can be compared. What extensions brought is theirs and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from policies.migrations.catalog import Catalog, collected
from policies.migrations.history import OWN_TABLES
from workflows.clients.databases.session import Row

Execute = Callable[[str, Sequence[object]], Awaitable[list[Row]]]

# The parameters are the name of the schema and the tables that are left out.
#
# A database may hold a thousand schemas, and the server's catalogs have no index by schema: what is in one is found as
# DROP SCHEMA finds it, by what depends on it (pg_depend; a composite type's relation depends on its type). Through
# ARRAY the planner expects ten rows, whatever its statistics say, and looks the rest up by oid.
_QUERY = r"""
WITH ns AS (SELECT quote_ident(%s)::regnamespace::oid AS oid),
held AS (
  SELECT d.classid, d.objid FROM pg_depend d, ns WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = ns.oid
),
typ AS (
  SELECT t.* FROM pg_type t WHERE t.oid = ANY (ARRAY(SELECT objid FROM held WHERE classid = 'pg_type'::regclass))
    AND NOT EXISTS (SELECT 1 FROM pg_depend d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
),
rel AS (
  SELECT c.*, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
    WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END || ' ' || c.relname AS object
  FROM pg_class c WHERE c.oid = ANY (ARRAY(SELECT objid FROM held WHERE classid = 'pg_class'::regclass
      UNION ALL SELECT typrelid FROM typ WHERE typtype = 'c'))
    AND c.relkind IN ('r','p','v','m','S','f','c') AND c.relname <> ALL (%s)
    AND NOT EXISTS (SELECT 1 FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
),
fun AS (
  SELECT f.* FROM pg_proc f WHERE f.oid = ANY (ARRAY(SELECT objid FROM held WHERE classid = 'pg_proc'::regclass))
    AND NOT EXISTS (SELECT 1 FROM pg_depend d
      WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
)
SELECT object, 'kind' AS attribute, concat_ws(' ', relkind::text, relpersistence::text,
    CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END,
    CASE WHEN relispartition THEN pg_get_expr(relpartbound, oid) END,
    array_to_string(reloptions, ','),
    CASE WHEN relreplident <> 'd' THEN 'replica identity ' || relreplident::text END) AS text, 0 AS position FROM rel
UNION ALL SELECT object, 'row security', concat_ws(' ', 'on', CASE WHEN relforcerowsecurity THEN 'forced' END), 0
  FROM rel WHERE relrowsecurity
UNION ALL SELECT rel.object, 'parent ' || p.inhparent::regclass::text, 'inherits', 0
  FROM rel JOIN pg_inherits p ON p.inhrelid = rel.oid
UNION ALL SELECT rel.object, 'column ' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
      THEN 'collate ' || a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END,
    CASE WHEN a.attgenerated <> '' THEN 'generated ' || a.attgenerated::text END,
    CASE WHEN d.oid IS NOT NULL THEN 'default ' || pg_get_expr(d.adbin, d.adrelid, true) END,
    CASE WHEN a.attacl IS NOT NULL THEN 'grants ' || a.attacl::text END), a.attnum
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE rel.relkind <> 'S'
UNION ALL SELECT rel.object, 'constraint ' || k.conname, pg_get_constraintdef(k.oid, true), 0
  FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid AND k.contype IN ('p','u','c','f','x')
UNION ALL SELECT rel.object, 'index ' || i.relname,
    pg_get_indexdef(i.oid, 0, true) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END, 0
  FROM rel JOIN pg_index x ON x.indrelid = rel.oid JOIN pg_class i ON i.oid = x.indexrelid
  WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k
    WHERE k.conrelid = rel.oid AND k.conindid = i.oid AND k.contype IN ('p','u','x'))
UNION ALL SELECT rel.object, 'trigger ' || g.tgname, pg_get_triggerdef(g.oid, true) || ' ' || g.tgenabled::text, 0
  FROM rel JOIN pg_trigger g ON g.tgrelid = rel.oid AND NOT g.tgisinternal
UNION ALL SELECT rel.object, 'policy ' || p.polname, concat_ws(' ', p.polcmd::text,
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    'to ' || (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ',' ORDER BY r)
      FROM unnest(p.polroles) r),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid)), 0
  FROM rel JOIN pg_policy p ON p.polrelid = rel.oid
UNION ALL SELECT object, 'definition', pg_get_viewdef(oid, true), 0 FROM rel WHERE relkind IN ('v', 'm')
UNION ALL SELECT rel.object, 'rule ' || w.rulename, pg_get_ruledef(w.oid, true), 0
  FROM rel JOIN pg_rewrite w ON w.ev_class = rel.oid AND w.rulename <> '_RETURN'
UNION ALL SELECT rel.object, 'definition', concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart,
    'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END,
    (SELECT 'owned by ' || d.refobjid::regclass::text || '.' || a.attname FROM pg_depend d JOIN pg_attribute a
       ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.objid = rel.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a','i'))), 0
  FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid
UNION ALL SELECT rel.object, 'grant ' || CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END,
    string_agg(g.privilege_type || CASE WHEN g.is_grantable THEN '*' ELSE '' END, ',' ORDER BY g.privilege_type), 0
  FROM rel CROSS JOIN LATERAL aclexplode(rel.relacl) g WHERE g.grantee <> rel.relowner GROUP BY 1, 2
UNION ALL SELECT rel.object, 'comment' || CASE d.objsubid WHEN 0 THEN '' ELSE ' on ' || a.attname END, d.description, 0
  FROM rel JOIN pg_description d ON d.objoid = rel.oid AND d.classoid = 'pg_class'::regclass
  LEFT JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum = d.objsubid
UNION ALL SELECT 'function ' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')', 'definition',
    concat_ws(' ', f.prokind::text, l.lanname, 'returns ' || pg_get_function_result(f.oid), f.provolatile::text,
      f.proparallel::text, CASE WHEN f.prosecdef THEN 'security definer' END, CASE WHEN f.proisstrict THEN 'strict' END,
      CASE WHEN f.proleakproof THEN 'leakproof' END, array_to_string(f.proconfig, ','),
      pg_get_function_arguments(f.oid), f.prosrc, pg_get_function_sqlbody(f.oid)), 0
  FROM fun f JOIN pg_language l ON l.oid = f.prolang
UNION ALL SELECT 'function ' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')',
    'grant ' || CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END, g.privilege_type, 0
  FROM fun f
  CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) g WHERE g.grantee <> f.proowner
UNION ALL SELECT 'type ' || t.typname, 'labels',
    (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
     FROM pg_enum e WHERE e.enumtypid = t.oid), 0
  FROM typ t WHERE t.typtype = 'e'
UNION ALL SELECT 'domain ' || t.typname, 'definition', concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
    CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
    (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid, true), ', ' ORDER BY k.conname)
     FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')), 0
  FROM typ t WHERE t.typtype = 'd'
UNION ALL SELECT 'statistics ' || s.stxname, 'definition', pg_get_statisticsobjdef(s.oid), 0
  FROM pg_statistic_ext s JOIN ns ON s.stxnamespace = ns.oid
ORDER BY 1, 4, 2
"""


async def read_catalog(execute: Execute, schema: str) -> Catalog:
    """Everything in ``schema``. ``execute`` runs with that schema alone in its search path."""
    objects: dict[str, dict[str, str]] = defaultdict(dict)
    columns: dict[str, list[str]] = defaultdict(list)
    for object_, attribute, text, position in await execute(_QUERY, (schema, list(OWN_TABLES))):
        objects[str(object_)][str(attribute)] = str(text)
        if position:
            columns[str(object_)].append(str(attribute).removeprefix("column "))
    return collected("postgresql", objects, {name: tuple(names) for name, names in columns.items()})
