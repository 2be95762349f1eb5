"""Vault's transit engine with contexts, in batches. Blocking: call it in a thread.

The key is a derived one: Vault makes a key of its own of every context
(HKDF), so that a ciphertext decrypts only with the context that it was made
with. Associated data would bind as well, but ``transit/rewrap`` takes none, and
a key could then not be rotated without showing every value.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import hvac  # type: ignore[import-untyped]  # hvac ships no types
from hvac import exceptions

from workflows.clients.vault.errors import VaultRefused
from workflows.clients.vault.session import VaultSession

DEFAULT_MOUNT = "transit"
BATCH_SIZE = 250


@dataclass(frozen=True)
class Sealed:
    """A ciphertext and what it is bound to."""

    ciphertext: str
    context: bytes


@dataclass(frozen=True)
class BoundTransit:
    """The derived transit key ``key``."""

    session: VaultSession = field(repr=False)
    key: str
    mount: str = DEFAULT_MOUNT

    def encrypt(self, plaintext: str, context: bytes) -> str:
        """Vault's ciphertext, bound to ``context``. Raises VaultRefused for a key that would not bind it."""
        self._check_derived()
        body = {"plaintext": _encoded(plaintext.encode()), "context": _encoded(context)}
        answer = self.session.call(f"encryption with {self._name}", lambda client: self._post(client, "encrypt", body))
        return str(answer["data"]["ciphertext"])

    def decrypt(self, items: Sequence[Sealed]) -> list[str | None]:
        """The plaintexts; None for what does not decrypt there. One call for ``BATCH_SIZE`` items."""
        results = self._batches("decrypt", "decryption", items)
        return [_text(one.get("plaintext")) if not one.get("error") else None for one in results]

    def rewrap(self, items: Sequence[Sealed]) -> list[str | None]:
        """The same ciphertexts made with the newest version of the key; None for what does not decrypt there."""
        results = self._batches("rewrap", "a rewrap", items)
        return [one.get("ciphertext") if not one.get("error") else None for one in results]

    @property
    def _name(self) -> str:
        return f"{self.mount}/{self.key}"

    def _check_derived(self) -> None:
        """A key that is not derived encrypts without a context, and would ignore one."""
        try:
            self.session.call(
                f"encryption with {self._name}", lambda client: self._post(client, "encrypt", {"plaintext": ""})
            )
        except VaultRefused:
            return  # it is derived, or is not there, which the encryption itself will say
        raise VaultRefused(
            f"the transit key {self._name} is not derived, so its ciphertexts would decrypt anywhere",
            next_step=f"make another: vault write -f {self.mount}/keys/NAME type=aes256-gcm96 derived=true",
        )

    def _batches(self, operation: str, what: str, items: Sequence[Sealed]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(items), BATCH_SIZE):
            batch = items[start : start + BATCH_SIZE]
            body = {
                "batch_input": [{"ciphertext": one.ciphertext, "context": _encoded(one.context)} for one in batch],
                "partial_failure_response_code": 200,
            }
            answer = self.session.call(
                f"{what} with {self._name}",
                lambda client, body=body: self._post(client, operation, body),  # type: ignore[misc] # bound now
            )
            results: list[dict[str, Any]] = answer["data"]["batch_results"]
            if len(results) != len(batch):
                raise VaultRefused(f"Vault answered {len(results)} of {len(batch)} items of {what}")
            yield from results

    def _post(self, client: hvac.Client, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Vault's answer; where every item of a batch was refused, it comes with status 400."""
        url = f"/v1/{self.mount}/{operation}/{self.key}"
        try:
            answer = client.adapter.post(url=url, json=body)
        except exceptions.InvalidRequest as error:
            refused = error.json if isinstance(error.json, dict) else {}
            if "batch_input" in body and (refused.get("data") or {}).get("batch_results"):
                return refused
            raise
        if not isinstance(answer, dict):
            raise VaultRefused(f"Vault gave no answer to {operation} with {self._name}")
        return answer


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(plaintext: object) -> str | None:
    """None for what is no text: a secret of configuration always is one."""
    try:
        return base64.b64decode(str(plaintext), validate=True).decode()
    except ValueError:
        return None
