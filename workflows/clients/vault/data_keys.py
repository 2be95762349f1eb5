"""Envelope encryption: data keys that a key of Vault's transit engine wraps. Blocking: call it in a thread."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from workflows.clients.vault.session import VaultSession
from workflows.clients.vault.transit import DEFAULT_MOUNT

DATA_KEY_BITS = 256


@dataclass(frozen=True)
class DataKeys:
    """Data keys of the transit key ``key``. Older versions of it are Vault's business."""

    session: VaultSession = field(repr=False)
    key: str
    mount: str = DEFAULT_MOUNT

    @classmethod
    def from_settings(cls, environ: Mapping[str, str], key: str) -> DataKeys:
        """The transit key ``key`` of the Vault that ``environ`` names. Contacts nobody. Raises VaultRefused."""
        mount = environ.get("ADX_VAULT_TRANSIT_MOUNT") or DEFAULT_MOUNT
        return cls(VaultSession.from_settings(environ), key, mount)

    @property
    def name(self) -> str:
        """Mount and key."""
        return f"{self.mount}/{self.key}"

    def new_data_key(self) -> tuple[bytes, str]:
        """A new 32-byte key in clear, and the same wrapped by the transit key. Raises the errors of a session."""
        answer = self.session.call(
            f"a data key of {self.name}",
            lambda client: client.secrets.transit.generate_data_key(
                name=self.key, key_type="plaintext", bits=DATA_KEY_BITS, mount_point=self.mount
            ),
        )
        return base64.b64decode(answer["data"]["plaintext"]), str(answer["data"]["ciphertext"])

    def unwrap(self, wrapped_key: str) -> bytes:
        """The key that ``new_data_key`` wrapped. Raises the errors of a session."""
        answer = self.session.call(
            f"decryption with {self.name}",
            lambda client: client.secrets.transit.decrypt_data(
                name=self.key, ciphertext=wrapped_key, mount_point=self.mount
            ),
        )
        return base64.b64decode(answer["data"]["plaintext"])
