"""Keys that snapshots are encrypted with: from a variable, a file, or Vault's transit engine.

The first source encrypts; all of them decrypt. So keys rotate by putting a
new one first and keeping the old ones until nothing is left that needs them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol

import msgspec

from workflows.snapshots.errors import SnapshotKeyMissing

KEY_BYTES = 32
_WRAPPED_KEYS_REMEMBERED = 64


class DataKey(msgspec.Struct, frozen=True):
    """A key to encrypt with, and what the header must say to find it again."""

    material: bytes
    key_id: str
    wrapped_key: str = ""

    def __repr__(self) -> str:
        """Without the key: it must not reach a log."""
        return f"DataKey({self.key_id})"


class KeySource(Protocol):
    """Where keys come from. Called in threads; may take as long as a request to Vault."""

    def current(self) -> DataKey:
        """The key to encrypt with."""
        ...

    def find(self, key_id: str, wrapped_key: str) -> bytes | None:
        """The key that a header names, None if this source does not have it."""
        ...


class Transit(Protocol):
    """The part of Vault's transit engine that is needed here: envelope encryption."""

    @property
    def name(self) -> str:
        """Names the transit key, for headers."""
        ...

    def new_data_key(self) -> tuple[bytes, str]:
        """A fresh 32-byte key, and the same wrapped by Vault."""
        ...

    def unwrap(self, wrapped_key: str) -> bytes:
        """The key that was wrapped."""
        ...


class StaticKeys:
    """Keys held in memory; the first one encrypts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._by_id = {_id_of(key): key for key in keys}
        self._current = DataKey(keys[0], _id_of(keys[0]))

    def current(self) -> DataKey:
        """The first key."""
        return self._current

    def find(self, key_id: str, wrapped_key: str) -> bytes | None:  # noqa: ARG002 - the protocol's signature
        """The key of this id."""
        return self._by_id.get(key_id)


class TransitKeys:
    """Data keys wrapped by Vault: the key that opens them never leaves it.

    One data key encrypts all snapshots of this process (a request less per
    snapshot; random nonces allow it), and unwrapped keys are remembered.
    """

    def __init__(self, transit: Transit) -> None:
        self._transit = transit
        self._key_id = f"transit:{transit.name}"
        self._current: DataKey | None = None
        self._unwrapped: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def current(self) -> DataKey:
        """This process' data key, asked for once."""
        with self._lock:
            if self._current is None:
                material, wrapped_key = self._transit.new_data_key()
                self._current = DataKey(material, self._key_id, wrapped_key)
            return self._current

    def find(self, key_id: str, wrapped_key: str) -> bytes | None:
        """The data key, unwrapped by Vault; None if another transit key wrapped it."""
        if key_id != self._key_id:
            return None
        with self._lock:
            if wrapped_key not in self._unwrapped:
                self._unwrapped[wrapped_key] = self._transit.unwrap(wrapped_key)
                if len(self._unwrapped) > _WRAPPED_KEYS_REMEMBERED:
                    self._unwrapped.popitem(last=False)
            return self._unwrapped[wrapped_key]


class KeyRing:
    """All sources of keys, in order of preference."""

    def __init__(self, sources: Sequence[KeySource]) -> None:
        if not sources:
            raise SnapshotKeyMissing(
                "snapshots are encrypted, and no key is set",
                next_step="set ADX_SNAPSHOT_KEY_FILE (32 random bytes in base64, mode 0600), ADX_SNAPSHOT_KEY "
                "or ADX_SNAPSHOT_VAULT_KEY",
            )
        self._sources = tuple(sources)

    def current(self) -> DataKey:
        """The key to encrypt with: the first source's."""
        return self._sources[0].current()

    def find(self, key_id: str, wrapped_key: str) -> bytes:
        """The key that a header names. Raises SnapshotKeyMissing."""
        for source in self._sources:
            if (key := source.find(key_id, wrapped_key)) is not None:
                return key
        raise SnapshotKeyMissing(
            f"the snapshot was encrypted with key {key_id[:80]!r}, which is not among the configured ones",
            next_step="add the old key after the new one in ADX_SNAPSHOT_KEY_FILE (one key a line)",
        )


def parse_keys(text: str, where: str) -> StaticKeys:
    """Keys in base64, separated by white space, the current one first.

    Raises SnapshotKeyMissing, which never repeats a key.
    """
    keys = [_decode(word, where) for word in text.split()]
    if not keys:
        raise SnapshotKeyMissing(f"{where} holds no key", next_step="write 32 random bytes in base64 into it")
    return StaticKeys(keys)


def read_key_file(path: Path) -> StaticKeys:
    """Keys of a file that only its owner may read. Raises SnapshotKeyMissing."""
    where = f"the key file {path}"
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotKeyMissing(
            f"{where} cannot be read: {type(error).__name__}", next_step="check ADX_SNAPSHOT_KEY_FILE"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SnapshotKeyMissing(f"{where} is open to others", next_step=f"chmod 600 {path}")
    return parse_keys(text, where)


def _decode(word: str, where: str) -> bytes:
    try:
        key = base64.b64decode(word, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SnapshotKeyMissing(f"{where} holds something that is not {KEY_BYTES} bytes in base64")
    return key


def _id_of(key: bytes) -> str:
    return "static:" + hashlib.sha256(b"adx snapshot key id\0" + key).hexdigest()[:16]
