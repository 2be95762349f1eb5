"""Encryption of Temporal payloads: AES-256-GCM, switched on by configuration.

The key is the snapshot store's. Payloads hold no secret as it is; with this
the Temporal server's operator cannot read names and commits either.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from workflows.snapshots.keys import DataKey, KeyRing

ENCODING = b"binary/adx-aes256gcm"
NONCE_BYTES = 12


class EncryptingCodec(PayloadCodec):
    """Encrypts each payload whole, its own metadata included; which key did it stands beside it."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt. Raises SnapshotKeyMissing."""
        # A key may have to be asked from Vault, which must not stop the event loop.
        key = await asyncio.to_thread(self._keys.current)
        return [_encrypted(payload, key) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what was encrypted; other payloads (from before it was switched on) pass through."""
        return [await asyncio.to_thread(self._decrypted, payload) for payload in payloads]

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id, wrapped_key = payload.metadata["key-id"].decode(), payload.metadata["wrapped-key"].decode()
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        return Payload.FromString(AESGCM(self._keys.find(key_id, wrapped_key)).decrypt(nonce, sealed, ENCODING))


def _encrypted(payload: Payload, key: DataKey) -> Payload:
    nonce = os.urandom(NONCE_BYTES)
    metadata = {"encoding": ENCODING, "key-id": key.key_id.encode(), "wrapped-key": key.wrapped_key.encode()}
    data = nonce + AESGCM(key.material).encrypt(nonce, payload.SerializeToString(), ENCODING)
    return Payload(metadata=metadata, data=data)
