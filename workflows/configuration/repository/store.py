"""Kept configuration: the present value of every key, and every version that it ever had.

One implementation for PostgreSQL and MariaDB. A write says which version it
has seen; who was second gets UpdateConflict. A write that is repeated under
its change's id is not done again. Nothing here ever sees a secret in clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType

from sqlalchemy import ColumnElement, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from policies.configuration.values import ConfigurationKey, ConfigurationValue, Json
from workflows.clients.transactions import POOL_SIZE
from workflows.configuration.errors import StoreBusy, ValueNotFound
from workflows.configuration.models import Author, Criteria, Difference, Record, Version, Write
from workflows.configuration.repository import rows, schema_version, writing
from workflows.configuration.repository.connection import DEFAULT_TIMEOUT_SECONDS, Connections
from workflows.configuration.repository.driver_errors import is_duplicate
from workflows.configuration.repository.tables import values, versions

MIGRATION_TIMEOUT_SECONDS = 600.0
_ATTEMPTS = 3


def utc_now() -> datetime:
    """Now, to the microsecond, in UTC."""
    return datetime.now(UTC)


class ConfigurationStore:
    """An open store. One per process and event loop; close it at the end.

    ``url`` is ``postgresql://…`` or ``mysql://…``. Raises the errors of
    ``workflows.configuration.errors``. Contacts nobody until it is asked.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = Connections(url, pool_size=pool_size, timeout_seconds=timeout_seconds)
        self._now = now

    async def migrate(self) -> str:
        """Bring the tables to this version; safe to call from many processes at once. Raises StoreTooNew."""
        if await self.schema_version() == schema_version.HEAD:
            return schema_version.HEAD
        # Alembic costs 10 MB and 50 ms: only loaded when there is something to migrate.
        from workflows.configuration.repository import migrator  # noqa: PLC0415

        async with self._database.transaction(timeout_seconds=MIGRATION_TIMEOUT_SECONDS) as connection:
            return await connection.run_sync(migrator.upgrade)

    async def schema_version(self) -> str | None:
        """The version of the tables, None where there are none."""
        async with self._database.transaction() as connection:
            if not await connection.run_sync(lambda sync: inspect(sync).has_table(schema_version.TABLE)):
                return None
            found: str | None = await connection.scalar(
                text(f"SELECT version_num FROM {schema_version.TABLE}")  # noqa: S608 - a constant
            )
            return found

    async def find_by_id(self, id_: str) -> Record | None:
        """The value of the key with this id; None when there is none."""
        return (await self.find_many([id_])).get(id_)

    async def find_many(self, ids: Iterable[str]) -> dict[str, Record]:
        """The values of the keys with these ids that there are, by id; one query."""
        wanted = list(ids)
        if not wanted:
            return {}
        return {record.key.id: record for record in await self._records(values.c.id.in_(wanted))}

    async def find_by_criteria(self, criteria: Criteria) -> list[Record]:
        """What fits, ordered by id; one query."""
        return await self._records(*_conditions(criteria), limit=criteria.limit)

    async def create(
        self, key: ConfigurationKey, value: ConfigurationValue, author: Author, *, tags: tuple[str, ...] = ()
    ) -> Record:
        """Keep the first value of ``key``. Raises UpdateConflict when there is one."""
        return _only(await self.write([Write(key=key, value=value, expected=0, tags=tags)], author))

    async def update(
        self,
        key: ConfigurationKey,
        value: ConfigurationValue,
        author: Author,
        *,
        expected: int,
        tags: tuple[str, ...] = (),
    ) -> Record:
        """Replace version ``expected``. Raises UpdateConflict when that is not the present one."""
        return _only(await self.write([Write(key=key, value=value, expected=expected, tags=tags)], author))

    async def delete(self, key: ConfigurationKey, author: Author, *, expected: int) -> None:
        """Remove version ``expected``; its versions stay. Raises UpdateConflict."""
        await self.write([Write(key=key, value=None, expected=expected)], author)

    async def write(self, writes: Sequence[Write], author: Author) -> list[Record | None]:
        """All of ``writes`` or none; what each key then holds, None for a deleted one.

        Writes that do not say what they expect, and would change nothing, make no version.
        Raises UpdateConflict and ValueRefused.
        """
        rows.check_author(author)
        for one in writes:
            rows.check(one)
        for _ in range(_ATTEMPTS):
            written = await self._try_to_write(writes, author)
            if written is not None:
                return written
        raise StoreBusy("other writers kept creating the same keys", next_step="try again")

    async def history(self, id_: str, *, limit: int = 100) -> list[Version]:
        """The versions of a key, newest first. Raises ValueNotFound for a key that never had one."""
        async with self._database.transaction() as connection:
            key = await _key(connection, id_)
            wanted = select(versions).where(versions.c.id == id_).order_by(versions.c.version.desc()).limit(limit)
            return [rows.version_of(key, row) for row in await connection.execute(wanted)]

    async def version(self, id_: str, number: int) -> Version:
        """One version of a key. Raises ValueNotFound."""
        async with self._database.transaction() as connection:
            key = await _key(connection, id_)
            wanted = select(versions).where(versions.c.id == id_, versions.c.version == number)
            row = (await connection.execute(wanted)).one_or_none()
        if row is None:
            raise ValueNotFound(f"{key} has no version {number}", next_step="list them with `adx config history`")
        return rows.version_of(key, row)

    async def diff(self, id_: str, old: int, new: int) -> Difference:
        """What two versions of a key differ in. Raises ValueNotFound."""
        before, after = await self.version(id_, old), await self.version(id_, new)
        return Difference(
            key=before.key,
            old_version=old,
            new_version=new,
            old=_shown(before),
            new=_shown(after),
            is_secret=before.value.is_secret or after.value.is_secret,
            is_changed=before.value != after.value,
        )

    async def restore(self, id_: str, number: int, author: Author, *, expected: int | None = None) -> Record | None:
        """Make a new version that equals version ``number``; None when that was a deletion.

        Raises ValueNotFound and UpdateConflict.
        """
        wanted = await self.version(id_, number)
        tags = await self._tags(id_, number)
        value = None if wanted.operation == "delete" else wanted.value
        written = await self.write([Write(key=wanted.key, value=value, expected=expected, tags=tags)], author)
        return written[0]

    async def close(self) -> None:
        """Give back all connections."""
        await self._database.close()

    async def __aenter__(self) -> ConfigurationStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _try_to_write(self, writes: Sequence[Write], author: Author) -> list[Record | None] | None:
        """None when another writer created one of the keys at the same moment."""
        async with self._database.transaction() as connection:
            try:
                async with connection.begin_nested():
                    return await writing.write(connection, writes, author, self._now())
            except IntegrityError as error:
                if not is_duplicate(error):
                    raise
                return None

    async def _records(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Record]:
        wanted = select(values).where(values.c.is_deleted.is_(False), *conditions).order_by(values.c.id).limit(limit)
        async with self._database.transaction() as connection:
            return [rows.record_of(row) for row in await connection.execute(wanted)]

    async def _tags(self, id_: str, number: int) -> tuple[str, ...]:
        wanted = select(versions.c.tags).where(versions.c.id == id_, versions.c.version == number)
        async with self._database.transaction() as connection:
            return rows.tags_of((await connection.execute(wanted)).one())


async def _key(connection: AsyncConnection, id_: str) -> ConfigurationKey:
    row = (await connection.execute(select(values).where(values.c.id == id_))).one_or_none()
    if row is None:
        raise ValueNotFound("no value of this key was ever kept", next_step="look at `adx config get` for the keys")
    return rows.key_of(row)


def _conditions(criteria: Criteria) -> list[ColumnElement[bool]]:
    equal = {name: getattr(criteria, name) for name in ("namespace", "environment", "service", "key")}
    conditions = [values.c[name] == wanted for name, wanted in equal.items() if wanted is not None]
    tenants = [*([""] if criteria.without_tenant or criteria.or_without_tenant else []), criteria.tenant_id]
    if any(one is not None for one in tenants):
        conditions.append(values.c.tenant_id.in_([one for one in tenants if one is not None]))
    if criteria.is_secret is not None:
        conditions.append(values.c.is_secret.is_(criteria.is_secret))
    if criteria.tag is not None:
        conditions.append(values.c.tags.contains(f'"{criteria.tag}"', autoescape=True))
    if criteria.after_id:
        conditions.append(values.c.id > criteria.after_id)
    return conditions


def _shown(version: Version) -> Json:
    return version.value.encrypted_value if version.value.is_secret else version.value.value


def _only(records: list[Record | None]) -> Record:
    (record,) = records
    if record is None:
        raise TypeError("a value was written, and none came of it")
    return record
