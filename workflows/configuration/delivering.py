"""What delivers values for a worker: its store, its shared cache, its webhooks. Without them nothing is delivered.

Only ``ADX_CONFIGURATION_URL`` switches it on: the ledger's database, which
readers fall back to, is not written to unasked.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from policies.configuration.spec import ConfigurationSpec
from policies.configuration.values import ConfigurationKey
from policies.findings import environment_file
from policies.git_tree import GitTree
from policies.loader import load_documents
from workflows.configuration import notify
from workflows.configuration.durable import Notified
from workflows.configuration.models import Criteria, Record
from workflows.configuration.plan import Tags
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.repository import ConfigurationStore
from workflows.errors import AdxValidationError

SETTING = "ADX_CONFIGURATION_URL"


class NotAcknowledged(AdxValidationError):
    """A service that must acknowledge new values did not, after all attempts."""


Rows = dict[ConfigurationKey, Record | None]


def is_configured(environ: Mapping[str, str]) -> bool:
    """Whether deliveries write values into a store."""
    return bool(environ.get(SETTING))


@asynccontextmanager
async def opened_store(environ: Mapping[str, str]) -> AsyncIterator[ConfigurationStore]:
    """The store that the settings name, its tables brought up to date. Raises its errors."""
    async with ConfigurationStore(environ.get(SETTING, "")) as store:
        await store.migrate()
        yield store


async def kept_of(store: ConfigurationStore, keys: Iterable[ConfigurationKey]) -> dict[ConfigurationKey, Record]:
    """Everything that the store has in the namespaces and environments of ``keys``."""
    scopes = sorted({(key.namespace, key.environment) for key in keys})
    found: dict[ConfigurationKey, Record] = {}
    for namespace, environment in scopes:
        records = await store.find_by_criteria(Criteria(namespace=namespace, environment=environment))
        found |= {record.key: record for record in records}
    return found


async def rows_of(store: ConfigurationStore, keys: Iterable[ConfigurationKey]) -> Rows:
    """What the store holds of ``keys``; None for what it has not."""
    wanted = list(keys)
    found = await store.find_many([key.id for key in wanted])
    return {key: found.get(key.id) for key in wanted}


async def read_tags(repository: Path, commit: str, environment: str) -> Tags:
    """The tags that configuration.yaml of ``environment`` says at ``commit``."""

    def read() -> Tags:
        tree = GitTree.open(repository, commit)
        (spec,) = load_documents(tree, [environment_file(environment, "configuration")])
        details = spec.details if isinstance(spec, ConfigurationSpec) else {}
        return {(service, key): one.tags for service, keys in details.items() for key, one in keys.items()}

    return await asyncio.to_thread(read)


async def announce(environ: Mapping[str, str], rows: Mapping[ConfigurationKey, Record | None]) -> bool:
    """Tell every reader what these keys hold now; False where there is no shared cache. Raises CacheAway."""
    shared = SharedCache.from_settings(environ)
    if shared is None:
        return False
    try:
        await shared.announce(rows)
    finally:
        await shared.close()
    return True


async def tell_services(
    environ: Mapping[str, str],
    rows: Mapping[ConfigurationKey, Record | None],
    change_id: str,
    *,
    is_restore: bool,
    insist: bool = True,
) -> Notified:
    """Tell the services of ``rows`` by their webhooks, all at once; those without one are not asked.

    Raises WebhooksRefused for a file that cannot be used, and (``insist``) NotAcknowledged for a required webhook
    that does not acknowledge.
    """
    webhooks = notify.webhooks_from(environ)
    changes = [
        (webhook, change)
        for change in changes_of(rows, change_id, is_restore=is_restore)
        if (webhook := notify.webhook_of(webhooks, change.environment, change.service)) is not None
    ]
    limit = asyncio.Semaphore(notify.AT_ONCE)
    async with notify.client() as client:
        answers = await asyncio.gather(*(_tell(limit, webhook, change, client) for webhook, change in changes))
    silent = {change.service: why for (_, change), why in zip(changes, answers, strict=True) if why}
    required = [change.service for webhook, change in changes if webhook.required and change.service in silent]
    if required and insist and not is_restore:
        first = required[0]
        raise NotAcknowledged(f"{first} did not acknowledge its new configuration: {silent[first]}")
    return Notified([change.service for _, change in changes if change.service not in silent], silent)


def changes_of(
    rows: Mapping[ConfigurationKey, Record | None], change_id: str, *, is_restore: bool
) -> list[notify.Change]:
    """One message for each service, in order of their names."""
    by_service: dict[tuple[str, str, str], list[ConfigurationKey]] = {}
    for key in sorted(rows, key=lambda one: one.canonical):
        by_service.setdefault((key.namespace, key.environment, key.service), []).append(key)
    return [
        notify.Change(
            id=_message_id(change_id, *scope),
            namespace=scope[0],
            environment=scope[1],
            service=scope[2],
            values=tuple(_changed(key, rows[key]) for key in keys),
            is_restore=is_restore,
        )
        for scope, keys in sorted(by_service.items())
    ]


async def _tell(
    limit: asyncio.Semaphore, webhook: notify.Webhook, change: notify.Change, client: httpx.AsyncClient
) -> str:
    async with limit:
        return await notify.tell(webhook, change, client, now=time.time)


def _changed(key: ConfigurationKey, record: Record | None) -> notify.ChangedValue:
    version = record.version if record is not None else None
    return notify.ChangedValue(key=key.key, tenant=key.tenant_id, version=version)


def _message_id(*parts: str) -> str:
    return "msg_" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
