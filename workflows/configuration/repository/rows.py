"""Rows of the tables ↔ records. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from policies.configuration.values import (
    ConfigurationKey,
    ConfigurationMetadata,
    ConfigurationValue,
    why_key_is_refused,
    why_not_on_the_wire,
)
from policies.configuration.values_secrets import is_secret_text, why_secret_is_refused
from workflows.configuration.errors import ValueRefused
from workflows.configuration.models import Author, Record, Version, Write

MAX_NAME_LENGTH = 200
Row = dict[str, Any]


def encoded(value: object) -> str:
    """Canonical JSON: equal values are equal texts."""
    return msgspec.json.encode(value, order="deterministic").decode()


def content(value: ConfigurationValue | None, tags: tuple[str, ...]) -> Row:
    """The columns that hold what a value consists of; None for one that is deleted."""
    if value is None:
        return {"is_secret": False, "value": None, "encrypted_value": None, "tags": None}
    return {
        "is_secret": value.is_secret,
        "value": None if value.is_secret else encoded(value.value),
        "encrypted_value": value.encrypted_value,
        "tags": encoded(tags),
    }


def key_columns(key: ConfigurationKey) -> Row:
    """The columns that hold a key."""
    return {
        "id": key.id,
        "namespace": key.namespace,
        "environment": key.environment,
        "service": key.service,
        "key": key.key,
        "tenant_id": key.tenant_id or "",
    }


def key_of(row: Any) -> ConfigurationKey:
    """The key in a row."""
    return ConfigurationKey(
        namespace=row.namespace,
        environment=row.environment,
        service=row.service,
        key=row.key,
        tenant_id=row.tenant_id or None,
    )


def record_of(row: Any) -> Record:
    """The record in a row of ``configuration_values``."""
    metadata = ConfigurationMetadata(
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
        tags=tags_of(row),
    )
    return Record(key=key_of(row), value=msgspec.structs.replace(_value(row), metadata=metadata))


def version_of(key: ConfigurationKey, row: Any) -> Version:
    """The version in a row of ``configuration_versions``."""
    return Version(
        key=key,
        version=row.version,
        operation=row.operation,
        value=_value(row),
        at=row.at,
        by=row.by,
        change_id=row.change_id,
    )


def record(write: Write, value: ConfigurationValue, created_at: datetime, head: Row) -> Record:
    """The record that ``write`` makes."""
    metadata = ConfigurationMetadata(
        created_at=created_at,
        updated_at=head["updated_at"],
        updated_by=head["updated_by"],
        version=head["version"],
        tags=write.tags,
    )
    return Record(key=write.key, value=msgspec.structs.replace(value, metadata=metadata))


def check(write: Write) -> None:
    """Raise ValueRefused for what must not be kept. Never quotes the value."""
    why = why_key_is_refused(write.key) or (None if write.value is None else _why_value_is_refused(write))
    if why is not None:
        raise ValueRefused(f"{write.key} is refused: {why}")


def check_author(author: Author) -> None:
    """Raise ValueRefused for a name that could forge lines, or that is none."""
    for text in (author.by, author.change_id):
        if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
            raise ValueRefused("who changes, and the id of the change, are printable texts of 1 to 200 characters")


def _why_value_is_refused(write: Write) -> str | None:
    value = write.value
    if value is None:
        return None
    if not value.is_secret:
        if value.encrypted_value is not None or is_secret_text(value.value):
            return "the form of a secret is kept only as a secret"
        return why_not_on_the_wire(value.value)
    if value.value is not None:
        return "a secret is kept only in its form, and a value stands beside it in clear"
    return why_secret_is_refused(value.encrypted_value or "", write.key)


def _value(row: Any) -> ConfigurationValue:
    value = msgspec.json.decode(row.value) if row.value is not None else None
    return ConfigurationValue(value=value, is_secret=bool(row.is_secret), encrypted_value=row.encrypted_value)


def tags_of(row: Any) -> tuple[str, ...]:
    """The tags in a row of either table."""
    return () if row.tags is None else msgspec.json.decode(row.tags, type=tuple[str, ...])
