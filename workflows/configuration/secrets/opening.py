"""Forms of secrets → clear text: ciphertexts in batches, key-value references once a path.

Clear text lives in the process that asked and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field

import hvac  # type: ignore[import-untyped]  # hvac ships no types

from policies.configuration.values import ConfigurationKey
from policies.configuration.values_secrets import Ciphertext, parse_secret, why_secret_is_refused
from policies.errors import AdxError
from workflows.clients.vault.errors import SecretNotForHere, VaultRefused
from workflows.clients.vault.session import VaultSession
from workflows.clients.vault.transit import BoundTransit, Sealed

DEFAULT_KEY = "adx-configuration"
PATHS_AT_ONCE = 8
KEEP_ALIVE_SECONDS = 20.0


@dataclass(frozen=True)
class Refused:
    """A secret that cannot be had, and why; others of the same question may be."""

    error: AdxError


Opened = str | Refused


@dataclass(frozen=True)
class Opener:
    """Opens secrets with one Vault."""

    session: VaultSession = field(repr=False)
    transit: BoundTransit

    @classmethod
    def from_settings(cls, environ: Mapping[str, str]) -> Opener:
        """The Vault and the transit key that the settings name. Contacts nobody. Raises VaultRefused."""
        session = VaultSession.from_settings(environ)
        return cls(session, transit_from_settings(session, environ))

    async def open(self, secrets: Mapping[ConfigurationKey, str]) -> dict[ConfigurationKey, Opened]:
        """Clear text or refusal of each form. Raises what is wrong with Vault as a whole: sealed, denied, away."""
        opened: dict[ConfigurationKey, Opened] = {}
        sealed: dict[ConfigurationKey, Sealed] = {}
        references: dict[tuple[str, str], list[tuple[ConfigurationKey, str]]] = {}
        for key, text in secrets.items():
            why, secret = why_secret_is_refused(text, key), parse_secret(text)
            if why is not None:
                opened[key] = Refused(VaultRefused(f"the secret {key} is refused: {why}"))
            elif isinstance(secret, Ciphertext):
                sealed[key] = Sealed(secret.text, key.canonical)
            elif secret is not None:
                references.setdefault((secret.mount, secret.path), []).append((key, secret.field))
        for found in await asyncio.gather(self._decrypt(sealed), *self._reads(references)):
            opened |= found
        return opened

    async def _decrypt(self, sealed: Mapping[ConfigurationKey, Sealed]) -> dict[ConfigurationKey, Opened]:
        if not sealed:
            return {}
        texts = await asyncio.to_thread(self.transit.decrypt, list(sealed.values()))
        return {
            key: Refused(not_for_here(key)) if text is None else text for key, text in zip(sealed, texts, strict=True)
        }

    def _reads(
        self, references: Mapping[tuple[str, str], list[tuple[ConfigurationKey, str]]]
    ) -> Iterable[Awaitable[dict[ConfigurationKey, Opened]]]:
        limit = asyncio.Semaphore(PATHS_AT_ONCE)
        for (mount, path), wanted in references.items():
            yield self._read(limit, mount, path, wanted)

    async def _read(
        self, limit: asyncio.Semaphore, mount: str, path: str, wanted: list[tuple[ConfigurationKey, str]]
    ) -> dict[ConfigurationKey, Opened]:
        async with limit:
            try:
                data = await asyncio.to_thread(self._data, mount, path)
            except VaultRefused:
                error = VaultRefused(f"Vault has no secret at {mount}/{path}", next_step="write it there first")
                return {key: Refused(error) for key, _ in wanted}
        return {key: _field(data, mount, path, name) for key, name in wanted}

    def _data(self, mount: str, path: str) -> Mapping[str, object]:
        def ask(client: hvac.Client) -> Mapping[str, object]:
            answer = client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=True
            )
            data: Mapping[str, object] = answer["data"]["data"]
            return data

        return self.session.call(f"a read of {mount}/{path}", ask)


def transit_from_settings(session: VaultSession, environ: Mapping[str, str]) -> BoundTransit:
    """The transit key of configuration."""
    key = environ.get("ADX_CONFIGURATION_VAULT_KEY") or DEFAULT_KEY
    mount = environ.get("ADX_VAULT_TRANSIT_MOUNT")
    return BoundTransit(session, key, mount) if mount else BoundTransit(session, key)


def not_for_here(key: ConfigurationKey) -> SecretNotForHere:
    """The error of a ciphertext that does not decrypt as ``key``."""
    return SecretNotForHere(
        f"the ciphertext of {key} was made for another key, tenant or environment, or is damaged",
        next_step="make it again where it belongs: `adx config encrypt`",
    )


def _field(data: Mapping[str, object], mount: str, path: str, name: str) -> Opened:
    value = data.get(name)
    if isinstance(value, str):
        return value
    what = "is not there" if value is None else "is no text"
    return Refused(VaultRefused(f"the field {name} of {mount}/{path} {what}", next_step="write it as a text in Vault"))


async def open_secrets(opener: Opener, secrets: Mapping[ConfigurationKey, str]) -> dict[ConfigurationKey, str]:
    """The clear texts of ``secrets``. Raises the first refusal."""
    opened = await opener.open(secrets)
    for one in opened.values():
        if isinstance(one, Refused):
            raise one.error
    return {key: one for key, one in opened.items() if isinstance(one, str)}


async def keep_alive(session: VaultSession) -> None:
    """Keep the session's token from expiring, until cancelled."""
    while True:
        with contextlib.suppress(AdxError):  # whoever needs Vault says what is wrong with it
            await asyncio.to_thread(session.keep_alive)
        await asyncio.sleep(KEEP_ALIVE_SECONDS)
