"""`adx migrate status`: what the ledger says of every database, held against the databases themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from policies.errors import AdxError
from policies.migrations.catalog import Catalog, compare, lines
from policies.migrations.spec import Engine
from policies.spec import Spec
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.ledger import Ledger
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_targets import DatabaseTargetRow
from workflows.migrations.servers import Server, is_known, server_of

AT_ONCE = 8

Look = Literal["as-recorded", "drifted", "another-version", "unreachable", "not-looked-at"]


class DatabaseStatus(Spec):
    """One database. ``version`` and ``status`` are the ledger's; ``look`` is what was found now.

    ``drift`` says how it differs from what was recorded when it got its version, a line each.
    """

    target: str
    scripts: str
    tenants: tuple[str, ...]
    version: int | None
    status: str
    reason: str
    operation_id: str
    updated_at: str
    look: Look = "not-looked-at"
    found_version: int | None = None
    drift: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look at it."""
        return self.status in ("applied", "migrating") and self.look in ("as-recorded", "not-looked-at")


async def statuses(
    ledger: Ledger, environ: Mapping[str, str], environment: str, *, tenant: str = "", is_recorded_only: bool = False
) -> list[DatabaseStatus]:
    """Every database of the environment, or those of one tenant; each is asked where its server's address is known."""
    known = [one for one in await rows.targets_of(ledger, environment) if not tenant or tenant in one.tenants]
    catalogs = {digest: await _catalog(ledger, digest) for digest in {one.catalog for one in known if one.catalog}}
    places = asyncio.Semaphore(AT_ONCE)

    async def one(row: DatabaseTargetRow) -> DatabaseStatus:
        found = _recorded(row)
        if is_recorded_only or not is_known(environ, _server(row)):
            return found
        async with places:
            return await _looked(found, row, environ, catalogs)

    return list(await asyncio.gather(*map(one, known)))


async def _looked(
    found: DatabaseStatus, row: DatabaseTargetRow, environ: Mapping[str, str], catalogs: Mapping[str, Catalog | None]
) -> DatabaseStatus:
    try:
        engine: Engine = "mysql" if row.engine == "mysql" else "postgresql"
        server = server_of(environ, _server(row), engine)
        async with open_database(_address(server, row)) as database:
            version = (await database.get_schema_version()).version
            before = catalogs.get(row.catalog or "")
            found_drift = drift(before, await database.catalog()) if before is not None else ()
    except AdxError as error:
        return msgspec.structs.replace(found, look="unreachable", reason=str(error))
    look: Look = "another-version" if version != row.version else "drifted" if found_drift else "as-recorded"
    return msgspec.structs.replace(found, look=look, found_version=version, drift=found_drift)


def drift(before: Catalog, now: Catalog) -> tuple[str, ...]:
    """How a schema differs from what was recorded when it got its version (``validate_schema``), a line each. Pure."""
    return lines(tuple(one for one in compare(before, now) if not one.is_order_only))


def _recorded(row: DatabaseTargetRow) -> DatabaseStatus:
    return DatabaseStatus(
        target=row.target,
        scripts=row.scripts,
        tenants=tuple(row.tenants),
        version=row.version,
        status=row.status,
        reason=row.reason,
        operation_id=row.operation_id,
        updated_at=row.updated_at.isoformat(timespec="seconds"),
    )


def _server(row: DatabaseTargetRow) -> str:
    return row.target.split("/")[0]


def _address(server: Server, row: DatabaseTargetRow) -> DatabaseAddress:
    parts: Sequence[str] = row.target.split("/")
    return server.address.at(database=parts[1], schema=parts[2] if len(parts) > 2 else None)


async def _catalog(ledger: Ledger, digest: str) -> Catalog | None:
    body = await rows.catalog_body(ledger, digest)
    return msgspec.convert(body, Catalog) if body is not None else None
