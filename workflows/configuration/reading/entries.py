"""Entries of the shared cache and messages between processes: authenticated bytes. Pure.

Whoever can write to Redis must not be able to set a value: an entry carries a
MAC (keyed BLAKE2b, RFC 7693) over its name and content, and says itself until
when it counts, so that an old one cannot be put back later. A secret is held
in its form in Git.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from policies.configuration.values import ConfigurationKey, Json
from workflows.configuration.models import Record
from workflows.errors import AdxValidationError

PREFIX = "adx:configuration:1:"
CHANNEL = f"{PREFIX}changed"
MAC_BYTES = 16
KEY_BYTES = 32


class CacheKeyRefused(AdxValidationError):
    """The key that authenticates the shared cache is missing or is none."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What is known about one key: ``version`` 0 says that it has no value. ``expires_at`` in seconds since 1970."""

    expires_at: float
    version: int
    is_secret: bool = False
    value: Json = None
    encrypted_value: str | None = None


class Changed(msgspec.Struct, frozen=True, array_like=True):
    """One key whose value has changed."""

    namespace: str
    environment: str
    service: str
    key: str
    tenant_id: str | None


_entry_decoder = msgspec.msgpack.Decoder(Entry)
_changes_decoder = msgspec.msgpack.Decoder(list[Changed])
_encoder = msgspec.msgpack.Encoder()


class Authenticator:
    """Signs and checks entries with one secret key of ``KEY_BYTES`` bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise CacheKeyRefused(f"the key of the shared cache has {len(key)} bytes, not {KEY_BYTES}")
        self._started = hashlib.blake2b(digest_size=MAC_BYTES, key=key)

    @classmethod
    def from_settings(cls, environ: Mapping[str, str]) -> Authenticator:
        """The key in ``ADX_CONFIGURATION_CACHE_KEY_FILE`` or ``…_KEY``. Raises CacheKeyRefused."""
        path, text = environ.get("ADX_CONFIGURATION_CACHE_KEY_FILE"), environ.get("ADX_CONFIGURATION_CACHE_KEY", "")
        next_step = "set ADX_CONFIGURATION_CACHE_KEY_FILE to a file with 32 random bytes in base64"
        try:
            key = base64.b64decode(Path(path).read_text("ascii").strip() if path else text, validate=True)
        except (OSError, ValueError):
            raise CacheKeyRefused("the key of the shared cache cannot be read", next_step=next_step) from None
        if len(key) != KEY_BYTES:
            raise CacheKeyRefused("the key of the shared cache has not 32 bytes", next_step=next_step)
        return cls(key)

    def sign(self, name: str, payload: bytes) -> bytes:
        """``payload`` as it is kept under ``name``."""
        return self._mac(name, payload) + payload

    def checked(self, name: str, data: bytes) -> bytes | None:
        """What was signed under ``name``; None for anything else."""
        payload = data[MAC_BYTES:]
        return payload if hmac.compare_digest(data[:MAC_BYTES], self._mac(name, payload)) else None

    def _mac(self, name: str, payload: bytes) -> bytes:
        digest = self._started.copy()
        digest.update(b"%b\0%b" % (name.encode(), payload))
        return digest.digest()


def name_of(key: ConfigurationKey) -> str:
    """Under which name the entry of ``key`` is kept."""
    return PREFIX + key.id


def entry_of(record: Record | None, expires_at: float) -> Entry:
    """The entry of a record, or of there being none."""
    if record is None:
        return Entry(expires_at, 0)
    value = record.value
    return Entry(expires_at, record.version, value.is_secret, value.value, value.encrypted_value)


def encode(authenticator: Authenticator, name: str, entry: Entry) -> bytes:
    """``entry`` as it is kept."""
    return authenticator.sign(name, _encoder.encode(entry))


def decode(authenticator: Authenticator, name: str, data: bytes, now: float) -> Entry | None:
    """The entry in ``data``, None when it has had its time. Raises ValueError for one that ADX has not written."""
    payload = authenticator.checked(name, data)
    if payload is None:
        raise ValueError("forged or damaged")
    try:
        entry = _entry_decoder.decode(payload)
    except msgspec.DecodeError:
        raise ValueError("of another version") from None
    return entry if entry.expires_at > now else None


def encode_changes(authenticator: Authenticator, keys: Iterable[ConfigurationKey]) -> bytes:
    """The message that the values of ``keys`` have changed."""
    changes = [Changed(one.namespace, one.environment, one.service, one.key, one.tenant_id) for one in keys]
    return authenticator.sign(CHANNEL, _encoder.encode(changes))


def decode_changes(authenticator: Authenticator, data: bytes) -> list[ConfigurationKey]:
    """The keys in a message. Raises ValueError for one that ADX has not sent."""
    payload = authenticator.checked(CHANNEL, data)
    if payload is None:
        raise ValueError("forged or damaged")
    return [
        ConfigurationKey(
            namespace=one.namespace,
            environment=one.environment,
            service=one.service,
            key=one.key,
            tenant_id=one.tenant_id,
        )
        for one in _changes_decoder.decode(payload)
    ]
