"""Encryption of Temporal payloads: AES-256-GCM, switched on by configuration.

The key is the snapshot store's. Payloads hold no secret as it is; with this
the Temporal server's operator cannot read names and commits either.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from workflows.snapshots.keys import load_key

ENCODING = b"binary/adx-aes256gcm"
NONCE_BYTES = 12


class EncryptingCodec(PayloadCodec):
    """Encrypts each payload whole, its own metadata included. ``key`` has 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> EncryptingCodec:
        """The codec with the key that ``environ`` names. Raises SnapshotKeyMissing."""
        return cls(load_key(environ))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what was encrypted; other payloads (from before it was switched on) pass through."""
        return list(self._decrypted(payloads))

    def _encrypted(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        data = nonce + self._cipher.encrypt(nonce, payload.SerializeToString(), ENCODING)
        return Payload(metadata={"encoding": ENCODING}, data=data)

    def _decrypted(self, payloads: Iterable[Payload]) -> Iterable[Payload]:
        for payload in payloads:
            if payload.metadata.get("encoding") != ENCODING:
                yield payload
                continue
            nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
            yield Payload.FromString(self._cipher.decrypt(nonce, sealed, ENCODING))
