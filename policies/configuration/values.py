"""What a configuration value is: its key, itself, and what is known about it. Pure.

A value is JSON that every reader can take (``why_not_on_the_wire``), or a
secret, of which ADX only ever holds a form that is useless without Vault
(:mod:`policies.configuration.values_secrets`).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from policies.spec import Spec

Json = None | bool | int | float | str | list[Any] | dict[str, Any]

LARGEST_EXACT = 2**53 - 1  # beyond it, readers that keep numbers as doubles (RFC 8259, section 6) get another one
MAX_VALUE_BYTES = 64 * 1024
MAX_DEPTH = 16
_LABEL = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class ConfigurationKey(Spec, frozen=True, dict=True):
    """Which value: ``key`` of ``service`` in ``environment``, for ``tenant_id`` or (None) for all tenants.

    ``namespace`` is the one that environment.yaml names: one store may serve several platforms.
    """

    namespace: str
    environment: str
    service: str
    key: str
    tenant_id: str | None = None

    @cached_property
    def id(self) -> str:
        """The identity of the key in every store: SHA-256 (hex) of its canonical JSON."""
        return hashlib.sha256(self.canonical).hexdigest()

    @cached_property
    def canonical(self) -> bytes:
        """All parts, unambiguously, with the version of this form; what ciphertexts are bound to."""
        return msgspec.json.encode(
            ["adx/configuration/v1", self.namespace, self.environment, self.service, self.key, self.tenant_id]
        )

    def __str__(self) -> str:
        """For people: ``staging/frontend/PAGE_SIZE`` or ``… for tenant acme``."""
        name = f"{self.environment}/{self.service}/{self.key}"
        return name if self.tenant_id is None else f"{name} for tenant {self.tenant_id}"

    def for_all_tenants(self) -> ConfigurationKey:
        """The same key without a tenant."""
        return self if self.tenant_id is None else msgspec.structs.replace(self, tenant_id=None)


class ConfigurationMetadata(Spec):
    """What is known about a value; times are UTC, ``version`` counts from 1 and never goes back."""

    created_at: datetime
    updated_at: datetime
    updated_by: str
    version: int
    tags: tuple[str, ...] = ()


class ConfigurationValue(Spec):
    """A value, or a secret: then ``value`` is None and ``encrypted_value`` is its form in Git.

    ``metadata`` is None until a store has kept it.
    """

    value: Json = None
    is_secret: bool = False
    encrypted_value: str | None = None
    metadata: ConfigurationMetadata | None = None


def why_key_is_refused(key: ConfigurationKey) -> str | None:
    """Why ``key`` cannot be one; None when all is well."""
    for part in ("namespace", "environment", "service", "tenant_id"):
        text = getattr(key, part)
        if text is not None and not _LABEL.fullmatch(text):
            return f"the {part.removesuffix('_id')} is not a name in lower-case letters, digits, dots and hyphens"
    if not _KEY.fullmatch(key.key):
        return "the key is not usable as the name of an environment variable"
    return None


def why_not_on_the_wire(value: Json) -> str | None:
    """Why ``value`` would not reach every reader as it is; None when it would. Never quotes it."""
    for reason in _reasons(value, 0):
        return reason
    if len(msgspec.json.encode(value)) > MAX_VALUE_BYTES:
        return f"it is larger than {MAX_VALUE_BYTES // 1024} KiB"
    return None


def _reasons(value: object, depth: int) -> Iterator[str]:
    """Everything that some reader would not get as it is."""
    if depth > MAX_DEPTH:
        yield f"it is nested more than {MAX_DEPTH} levels deep"
    elif isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        yield "it has a key that is no text"
    elif isinstance(value, dict | list | tuple):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from _reasons(item, depth + 1)
    elif isinstance(value, str):
        if _CONTROL.search(value):
            yield "it holds a control character or half a character"
    elif isinstance(value, int | float):
        yield from _reasons_of_number(value)
    elif value is not None:
        yield f"it is no JSON value ({type(value).__name__})"


def _reasons_of_number(value: float) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield "it is not a finite number"
    elif abs(value) > LARGEST_EXACT:
        yield "it is beyond 2^53, where numbers are not exact any more; write it as a text"
