"""Clear text → the form that may stand in Git, and that form → the same under a rotated key.

A rewrap never shows a value: Vault opens and closes it inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policies.configuration.spec import ValueSchema
from policies.configuration.values import ConfigurationKey, why_key_is_refused, why_not_on_the_wire
from policies.configuration.values_schemas import why_value_is_refused
from workflows.clients.vault.session import VaultSession
from workflows.clients.vault.transit import BoundTransit, Sealed
from workflows.configuration.errors import ValueRefused
from workflows.configuration.secrets.opening import not_for_here, transit_from_settings

MAX_SECRET_BYTES = 2900  # its ciphertext then has the 4,096 characters that a value in Git may have


@dataclass(frozen=True)
class Sealer:
    """Encrypts and rewraps with one transit key. Blocking: call it in a thread."""

    transit: BoundTransit

    @classmethod
    def from_settings(cls, environ: Mapping[str, str]) -> Sealer:
        """The transit key that the settings name. Contacts nobody. Raises VaultRefused."""
        return cls(transit_from_settings(VaultSession.from_settings(environ), environ))

    def seal(self, key: ConfigurationKey, text: str, schemas: Iterable[ValueSchema] = ()) -> str:
        """The ciphertext of ``text`` for ``key``, and for no other. Raises ValueRefused and Vault's errors."""
        why = why_key_is_refused(key) or _why_text_is_refused(text, schemas)
        if why is not None:
            raise ValueRefused(f"the secret for {key} is refused: {why}")
        return self.transit.encrypt(text, key.canonical)

    def rewrap(self, secrets: Sequence[tuple[ConfigurationKey, str]]) -> list[str]:
        """The ciphertexts of ``secrets`` under the newest version of the key, in their order.

        Raises SecretNotForHere for the first that does not decrypt where it stands; then none is returned.
        """
        texts = self.transit.rewrap([Sealed(text, key.canonical) for key, text in secrets])
        rewrapped: list[str] = []
        for (key, _), text in zip(secrets, texts, strict=True):
            if text is None:
                raise not_for_here(key)
            rewrapped.append(text)
        return rewrapped


def _why_text_is_refused(text: str, schemas: Iterable[ValueSchema]) -> str | None:
    if not text:
        return "it is empty"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SECRET_BYTES:
        return f"it has more than {MAX_SECRET_BYTES:,} bytes; keep it in Vault's KV and refer to it"
    why = why_not_on_the_wire(text)
    for schema in schemas:
        why = why or why_value_is_refused(text, schema)
    return why
