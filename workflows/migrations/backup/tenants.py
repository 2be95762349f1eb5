"""Whether a schema that belongs to one tenant holds rows of another, as far as rows say so.

What can be checked: columns called ``tenant``, ``tenant_id``, ``tenant_slug`` or
``tenant_name``. Where they are text, every value must be the tenant's name. Where
they are numbers or UUIDs nobody here knows which is whose, but there must be at
most one. Rows without such a column say nothing, and nothing is said about them.
"""

from __future__ import annotations

from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session
from workflows.migrations.backup.errors import BackupRefused
from workflows.migrations.backup.fingerprint import columns_of

COLUMNS = frozenset({"tenant", "tenant_id", "tenant_slug", "tenant_name"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "char", "tinytext", "mediumtext", "longtext", "citext"})


async def check_tenant(session: Session, space: str, tenant: str) -> None:
    """Raise BackupRefused when a table of ``space`` names another tenant than ``tenant``."""
    for table, columns in (await columns_of(session, space)).items():
        for column, kind in columns:
            if column.lower() in COLUMNS:
                await _check(session, space, tenant, table, column, is_text=kind in _TEXTS)


async def _check(session: Session, space: str, tenant: str, table: str, column: str, *, is_text: bool) -> None:
    place, name = quoted(session.engine, space, table), quoted(session.engine, column)
    if is_text:
        # A percent sign in a name would be taken for the place of a parameter.
        place, name = place.replace("%", "%%"), name.replace("%", "%%")
        query = f"SELECT count(*) FROM {place} WHERE {name} IS NOT NULL AND {name} <> %s"  # noqa: S608 - names are quoted
        ((foreign,),) = await session.execute(query, (tenant,))
    else:
        query = f"SELECT count(DISTINCT {name}) FROM {place}"  # noqa: S608 - names are quoted
        ((count,),) = await session.execute(query)
        foreign = max(int(count) - 1, 0)
    if foreign:
        what = "row(s) that name another tenant" if is_text else "tenant(s) too many"
        raise BackupRefused(
            f"the schema of {tenant} holds {foreign} {what} in {table}.{column}: a backup would carry them along,"
            " and a restore would bring them back",
            next_step="find out how they came there and move them; then run it again",
        )
