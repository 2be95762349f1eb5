"""The stored form of a snapshot: zstd, then AES-256-GCM. Pure: bytes in, bytes out.

::

    ADXS | version (1 byte) | header length (2 bytes) | header (JSON) | nonce (12 bytes) | ciphertext and tag

Everything before the nonce is associated data: a body cannot be given to
another owner, renamed to another digest or said to be under another key.
"""

from __future__ import annotations

import os
import struct

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workflows.snapshots.errors import SnapshotCorrupt, SnapshotForeign
from workflows.snapshots.naming import digest_of

VERSION = 1
LARGEST_CONTENT_BYTES = 2 * 1024**3
_PREFIX = struct.Struct(">4sBH")
_MAGIC = b"ADXS"
_NONCE_BYTES = 12
_COMPRESSION_LEVEL = 3


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may read the body, and with which key. ``wrapped_key`` is set where Vault holds the key that opens it."""

    owner: str
    digest: str
    key_id: str
    wrapped_key: str = ""


class Sealed(msgspec.Struct, frozen=True):
    """A stored body taken apart; nothing in it is trusted before ``unseal``."""

    header: Header
    associated_data: bytes
    nonce: bytes
    ciphertext: bytes


def seal(content: bytes, header: Header, key: bytes) -> bytes:
    """The stored form of ``content`` under the 32-byte ``key``. Different bytes each time: the nonce is random."""
    encoded = msgspec.json.encode(header)
    associated_data = _PREFIX.pack(_MAGIC, VERSION, len(encoded)) + encoded
    nonce = os.urandom(_NONCE_BYTES)
    compressed = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(content)
    return associated_data + nonce + AESGCM(key).encrypt(nonce, compressed, associated_data)


def take_apart(body: bytes, *, owner: str, digest: str) -> Sealed:
    """The parts of a stored body that should be ``digest`` of ``owner``. Raises SnapshotCorrupt or SnapshotForeign."""
    header_bytes = _header_length(body, digest)
    start = _PREFIX.size + header_bytes
    try:
        header = msgspec.json.decode(body[_PREFIX.size : start], type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _corrupt(digest, "its header is damaged") from None
    if header.owner != owner:
        raise SnapshotForeign(
            f"snapshot {digest} was asked for by {owner!r} but its body belongs to {header.owner[:80]!r}",
            next_step="somebody moved bodies in the store: find out who before restoring anything",
        )
    if header.digest != digest:
        raise _corrupt(digest, "its body is another snapshot's")
    nonce_end = start + _NONCE_BYTES
    return Sealed(header, body[:start], body[start:nonce_end], body[nonce_end:])


def unseal(sealed: Sealed, key: bytes) -> bytes:
    """The content, authenticated and equal to its digest. Raises SnapshotCorrupt."""
    digest = sealed.header.digest
    try:
        compressed = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, sealed.associated_data)
        if zstandard.frame_content_size(compressed) > LARGEST_CONTENT_BYTES:
            raise _corrupt(digest, "its content is too large")
        content = zstandard.ZstdDecompressor().decompress(compressed, max_output_size=LARGEST_CONTENT_BYTES)
    except (InvalidTag, ValueError, zstandard.ZstdError):
        raise _corrupt(digest, "it was cut short or changed") from None
    if digest_of(content) != digest:
        raise _corrupt(digest, "its content has another digest")
    return content


def _header_length(body: bytes, digest: str) -> int:
    if len(body) < _PREFIX.size:
        raise _corrupt(digest, "it is cut short")
    magic, version, header_bytes = _PREFIX.unpack_from(body)
    if magic != _MAGIC:
        raise _corrupt(digest, "it is not a snapshot")
    if version != VERSION:
        raise _corrupt(digest, f"its format {version} is not known to this version of ADX")
    return int(header_bytes)


def _corrupt(digest: str, what: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"snapshot {digest} cannot be used: {what}", next_step="restore the body from a backup of the snapshot store"
    )
