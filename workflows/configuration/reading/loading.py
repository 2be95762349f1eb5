"""Looks values up: shared cache → repository → Vault, each asked once for all that is wanted.

Every one of the three may be away. Then the next one is asked, or what is not
known stays unknown: the reader decides what that means for its callers.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from policies.configuration.values import ConfigurationKey, Json
from policies.errors import AdxError
from workflows.clients.redis import CacheAway
from workflows.configuration.errors import ValueUnavailable
from workflows.configuration.models import Criteria, Record
from workflows.configuration.reading.entries import Entry, entry_of
from workflows.configuration.reading.model import MISSING, Reading, Scope
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.secrets.opening import Opener, Refused

_log = logging.getLogger("adx.configuration")


class Rows(Protocol):
    """What is asked of the repository."""

    async def find_many(self, ids: Iterable[str]) -> dict[str, Record]:
        """The records with these ids, by id."""

    async def find_by_criteria(self, criteria: Criteria) -> list[Record]:
        """The records that fit."""


class Loaded(msgspec.Struct):
    """What came of one key: a reading (with the form of a secret), or why there is none now."""

    reading: Reading | None = None
    form: str | None = None
    error: AdxError | None = None


class Loader:
    """Looks up many keys at once. ``away`` says of repository and Vault why they could not be asked last."""

    def __init__(self, rows: Rows, opener: Opener | None, shared: SharedCache | None) -> None:
        self._rows = rows
        self._opener = opener
        self._shared = shared
        self.away: dict[str, str] = {}
        self.unfilled: dict[ConfigurationKey, Record | None] = {}

    async def load(
        self,
        keys: Iterable[ConfigurationKey],
        opened: Mapping[ConfigurationKey, tuple[str, str]],
        shared: Mapping[ConfigurationKey, Entry] | None = None,
    ) -> dict[ConfigurationKey, Loaded]:
        """What is to be said of each of ``keys``.

        ``opened`` are secrets known already: form and clear text. ``shared`` is
        what the shared cache said, where it was asked already.
        """
        wanted = list(keys)
        layers = list(dict.fromkeys(one for key in wanted for one in (key, key.for_all_tenants())))
        found = await self.shared_entries(layers) if shared is None else dict(shared)
        found, why = await self._entries(layers, found)
        return await self._readings(wanted, found, opened, why)

    def reading(
        self, key: ConfigurationKey, found: Mapping[ConfigurationKey, Entry], opened: tuple[str, str] | None
    ) -> tuple[Reading, str | None] | None:
        """What entries say of ``key``, with the form of a secret; None where more has to be asked."""
        layer, entry = _resolved(key, found)
        if entry is None:
            return None
        if not entry.is_secret:
            return _reading(layer, entry, entry.value), None
        if opened is None or opened[0] != entry.encrypted_value:
            return None
        return _reading(layer, entry, opened[1]), entry.encrypted_value

    async def load_all(
        self, scope: Scope, opened: Mapping[ConfigurationKey, tuple[str, str]]
    ) -> dict[ConfigurationKey, Loaded]:
        """All values of ``scope``, as its tenant gets them; one query. Raises what is wrong with the repository."""
        namespace, environment, service, tenant_id = scope
        criteria = Criteria(
            namespace=namespace,
            environment=environment,
            service=service,
            tenant_id=tenant_id,
            without_tenant=tenant_id is None,
            or_without_tenant=tenant_id is not None,
        )
        try:
            records = await self._rows.find_by_criteria(criteria)
        except AdxError as error:
            self._note("repository", error)
            raise
        self.away.pop("repository", None)
        self.unfilled |= {one.key: one for one in records}
        found = {one.key: entry_of(one, 0) for one in records}
        common = dict.fromkeys(key.for_all_tenants() for key in found)
        keys = [msgspec.structs.replace(key, tenant_id=tenant_id) for key in common]
        absent = [layer for key in keys for layer in (key, key.for_all_tenants()) if layer not in found]
        found |= dict.fromkeys(absent, Entry(0, 0))
        return await self._readings(keys, found, opened, None)

    async def fill(self) -> None:
        """Put what the repository said into the shared cache."""
        rows, self.unfilled = self.unfilled, {}
        if self._shared is None or not rows:
            return
        with contextlib.suppress(CacheAway):
            await self._shared.fill(rows)

    async def shared_entries(self, layers: list[ConfigurationKey]) -> dict[ConfigurationKey, Entry]:
        """What the shared cache has of ``layers``; nothing while it is away."""
        if self._shared is None:
            return {}
        try:
            if len(layers) == 1:
                one = await self._shared.find_one(layers[0])
                return {} if one is None else {layers[0]: one}
            return await self._shared.find(layers)
        except CacheAway:
            return {}

    async def _entries(
        self, layers: list[ConfigurationKey], found: dict[ConfigurationKey, Entry]
    ) -> tuple[dict[ConfigurationKey, Entry], AdxError | None]:
        """``found`` and, from the repository, the entries of the other layers; why not all of them are known."""
        missing = {key.id: key for key in layers if key not in found}
        if not missing:
            return found, None
        try:
            records = await self._rows.find_many(missing)
        except AdxError as error:
            self._note("repository", error)
            return found, error
        self.away.pop("repository", None)
        rows = {key: records.get(id_) for id_, key in missing.items()}
        self.unfilled |= rows
        return found | {key: entry_of(record, 0) for key, record in rows.items()}, None

    async def _readings(
        self,
        keys: list[ConfigurationKey],
        found: Mapping[ConfigurationKey, Entry],
        opened: Mapping[ConfigurationKey, tuple[str, str]],
        why: AdxError | None,
    ) -> dict[ConfigurationKey, Loaded]:
        loaded: dict[ConfigurationKey, Loaded] = {}
        secrets: dict[ConfigurationKey, tuple[ConfigurationKey, Entry]] = {}
        for key in keys:
            reading = self.reading(key, found, opened.get(key))
            layer, entry = _resolved(key, found)
            if reading is not None:
                loaded[key] = Loaded(*reading)
            elif entry is None:
                loaded[key] = Loaded(error=why or ValueUnavailable(f"{key} cannot be had now"))
            else:
                secrets[key] = (layer, entry)
        return loaded | await self._opened(secrets)

    async def _opened(
        self, secrets: Mapping[ConfigurationKey, tuple[ConfigurationKey, Entry]]
    ) -> dict[ConfigurationKey, Loaded]:
        """Secrets in clear; a form that many tenants share is opened once."""
        forms = {layer: entry.encrypted_value or "" for layer, entry in secrets.values()}
        if not forms:
            return {}
        if self._opener is None:
            error = ValueUnavailable("this reader has no Vault to open secrets with", next_step="set VAULT_ADDR")
            return {key: Loaded(error=error) for key in secrets}
        try:
            texts = await self._opener.open(forms)
        except AdxError as error:
            self._note("vault", error)
            return {key: Loaded(error=error) for key in secrets}
        self.away.pop("vault", None)
        loaded: dict[ConfigurationKey, Loaded] = {}
        for key, (layer, entry) in secrets.items():
            text = texts[layer]
            if isinstance(text, Refused):
                _log.warning("a secret cannot be opened: %s", text.error)
                loaded[key] = Loaded(error=text.error)
            else:
                loaded[key] = Loaded(_reading(layer, entry, text), entry.encrypted_value)
        return loaded

    def _note(self, backend: str, error: AdxError) -> None:
        if backend not in self.away:
            _log.warning("%s is away: %s", backend, error)
        self.away[backend] = str(error)


def _resolved(key: ConfigurationKey, found: Mapping[ConfigurationKey, Entry]) -> tuple[ConfigurationKey, Entry | None]:
    """The layer that counts; None when it cannot be told, because a layer before it is not known."""
    own = found.get(key)
    if own is None or own.version or key.tenant_id is None:
        return key, own
    common = key.for_all_tenants()
    return common, found.get(common)


def _reading(layer: ConfigurationKey, entry: Entry, value: Json) -> Reading:
    if not entry.version:
        return MISSING
    return Reading(
        value=value,
        version=entry.version,
        is_secret=entry.is_secret,
        layer="tenant" if layer.tenant_id is not None else "environment",
    )
