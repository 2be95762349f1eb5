"""The tables, alike on PostgreSQL and MariaDB/MySQL, for building statements. ``migrations/`` decides what is there.

Where the two differ, the type says the same on both: texts that are compared
are compared byte by byte, times are UTC with microseconds, and values are
canonical JSON as text, because JSONB and MariaDB's JSON change numbers and the
order of keys each in its own way.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Dialect, Index, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import CHAR, DATETIME, MEDIUMTEXT, VARCHAR
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData()
_BINARY = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_ASCII = {"charset": "ascii", "collation": "ascii_bin"}


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond; MariaDB keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME(6) where whole seconds are the default."""
        return DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment as the server keeps it."""
        if value is None:
            return None
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name in ("mysql", "mariadb") else at

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """The moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def exact(length: int) -> TypeEngine[str]:
    """A text that differs from another one in every letter, accent and case."""
    return String(length).with_variant(VARCHAR(length, **_BINARY), "mysql", "mariadb")


def _id(name: str = "id", **options: Any) -> Column[str]:
    return Column(name, String(64).with_variant(CHAR(64, **_ASCII), "mysql", "mariadb"), **options)


def _long(name: str) -> Column[str]:
    return Column(name, Text().with_variant(MEDIUMTEXT(**_BINARY), "mysql", "mariadb"))


def _content() -> tuple[Column[Any], ...]:
    """What a value consists of; all NULL but the flag for one that was deleted."""
    return (
        Column("is_secret", Boolean, nullable=False),
        _long("value"),
        _long("encrypted_value"),
        _long("tags"),
    )


_TABLE_OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

values = Table(
    "configuration_values",
    metadata,
    _id(primary_key=True),
    Column("namespace", exact(63), nullable=False),
    Column("environment", exact(63), nullable=False),
    Column("service", exact(63), nullable=False),
    Column("key", exact(128), nullable=False),
    # Empty for none: the id tells the two apart.
    Column("tenant_id", exact(63), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    *_content(),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("updated_by", exact(200), nullable=False),
    # 63 + 63 + 63 + 128 characters of 4 bytes stay below the 3,072 bytes that InnoDB indexes.
    Index("configuration_values_by_service", "namespace", "environment", "service", "key"),
    **_TABLE_OPTIONS,
)

versions = Table(
    "configuration_versions",
    metadata,
    _id(primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", exact(10), nullable=False),
    *_content(),
    Column("at", UtcTime, nullable=False),
    Column("by", exact(200), nullable=False),
    Column("change_id", exact(200), nullable=False),
    **_TABLE_OPTIONS,
)
