"""Records of kept configuration. Durable: fields are only added, with defaults."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from policies.configuration.values import ConfigurationKey, ConfigurationMetadata, ConfigurationValue, Json
from policies.spec import Spec

Operation = Literal["create", "update", "delete"]


class Record(Spec):
    """A value as it is kept now."""

    key: ConfigurationKey
    value: ConfigurationValue

    @property
    def metadata(self) -> ConfigurationMetadata:
        """What is known about it; a kept value always has some."""
        if self.value.metadata is None:
            raise TypeError("a kept value has metadata")
        return self.value.metadata

    @property
    def version(self) -> int:
        """Counts from 1."""
        return self.metadata.version


class Version(Spec):
    """One version of a value, and who made it; ``value`` of a deletion is empty."""

    key: ConfigurationKey
    version: int
    operation: Operation
    value: ConfigurationValue
    at: datetime
    by: str
    change_id: str


class Write(Spec):
    """A change of one key. ``expected`` is the version it was seen in: 0 for none; None for whichever there is.

    ``value`` None deletes.
    """

    key: ConfigurationKey
    value: ConfigurationValue | None
    expected: int | None = None
    tags: tuple[str, ...] = ()


class Author(Spec):
    """Who changes, and under which id: repeating a change under its id finds what was done the first time."""

    by: str
    change_id: str


class Criteria(Spec):
    """What to find; what is None is not asked for. Ordered by id, after ``after_id``, at most ``limit``.

    ``or_without_tenant`` finds what is everybody's beside what is of ``tenant_id``.
    """

    namespace: str | None = None
    environment: str | None = None
    service: str | None = None
    key: str | None = None
    tenant_id: str | None = None
    without_tenant: bool = False
    or_without_tenant: bool = False
    is_secret: bool | None = None
    tag: str | None = None
    after_id: str = ""
    limit: int | None = None


class Difference(Spec):
    """What two versions of a value differ in; secrets only by their forms."""

    key: ConfigurationKey
    old_version: int
    new_version: int
    old: Json
    new: Json
    is_secret: bool
    is_changed: bool
