"""Tells services that values of theirs have changed: signed webhooks, and who acknowledged.

Signed as Standard Webhooks are (specification 1.0: headers ``webhook-id``,
``webhook-timestamp``, ``webhook-signature``), so that services verify them with
a library of their language. A message names keys and versions, never a value:
whoever gets one reads the values anew, with rights of its own.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from workflows.clients.direct_http import direct_client
from workflows.errors import AdxValidationError

SETTING = "ADX_CONFIGURATION_WEBHOOKS_FILE"
ATTEMPTS = 4
FIRST_DELAY_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
AT_ONCE = 20
SMALLEST_SECRET_BYTES = 24  # Standard Webhooks: 24 to 64 bytes
_RETRIED = frozenset({408, 425, 429})


class WebhooksRefused(AdxValidationError):
    """The file with the services' webhooks cannot be used."""


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a service wants to hear of changes. ``*`` stands for every environment or service.

    ``url`` may hold ``{service}``, ``{environment}`` and ``{namespace}``. ``secret_file`` holds ``whsec_`` and the
    secret in base64. A delivery fails where one that is ``required`` does not acknowledge.
    """

    environment: str
    service: str
    url: str
    secret_file: str
    required: bool = False


class ChangedValue(msgspec.Struct, frozen=True):
    """A value that changed; ``version`` is None where it is gone, ``tenant`` None where it is everybody's."""

    key: str
    tenant: str | None
    version: int | None


class Change(msgspec.Struct, frozen=True):
    """What a service is told. ``id`` stays the same when the message is repeated."""

    id: str
    namespace: str
    environment: str
    service: str
    values: tuple[ChangedValue, ...]
    is_restore: bool
    type: str = "configuration.changed"


def webhooks_from(environ: Mapping[str, str]) -> tuple[Webhook, ...]:
    """The webhooks that the settings name; none where they name none. Raises WebhooksRefused."""
    name = environ.get(SETTING, "")
    if not name:
        return ()
    try:
        found = msgspec.json.decode(Path(name).read_bytes(), type=tuple[Webhook, ...])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise WebhooksRefused(f"{SETTING} cannot be used: {error}", next_step="see docs/configuration.md") from error
    for one in found:
        if urlsplit(one.url).scheme not in {"http", "https"}:
            raise WebhooksRefused(f"the webhook of {one.service} has no http or https address")
    return found


def webhook_of(webhooks: Sequence[Webhook], environment: str, service: str) -> Webhook | None:
    """The first that is meant for ``service`` in ``environment``."""
    for one in webhooks:
        if one.environment in {"*", environment} and one.service in {"*", service}:
            return one
    return None


def read_secret(path: str) -> bytes:
    """The secret in the file ``path``. Raises WebhooksRefused; never repeats it."""
    try:
        text = Path(path).read_text("ascii").strip()
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (OSError, UnicodeDecodeError, binascii.Error):
        raise WebhooksRefused(f"the secret of a webhook cannot be read from {path}") from None
    if len(secret) < SMALLEST_SECRET_BYTES:
        raise WebhooksRefused(
            f"the secret in {path} is shorter than {SMALLEST_SECRET_BYTES} bytes",
            next_step=f"make one: echo whsec_$(openssl rand -base64 32) > {path}",
        )
    return secret


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """As it stands in ``webhook-signature``: version, comma, HMAC-SHA256 in base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


async def tell(
    webhook: Webhook,
    change: Change,
    client: httpx.AsyncClient,
    *,
    now: Callable[[], float],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> str:
    """Send ``change`` until it is acknowledged (2xx); why it was not, empty where it was."""
    secret, body = read_secret(webhook.secret_file), msgspec.json.encode(change)
    url, why = address_of(webhook, change), ""
    for attempt in range(ATTEMPTS):
        if attempt:
            await pause(FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
        timestamp = int(now())
        headers = {
            "content-type": "application/json",
            "webhook-id": change.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, change.id, timestamp, body),
        }
        try:
            status = (await client.post(url, content=body, headers=headers)).status_code
        except httpx.HTTPError as error:
            why = f"no answer ({type(error).__name__})"
            continue
        if 200 <= status < 300:
            return ""
        why = f"answered {status}"
        if status < 500 and status not in _RETRIED:
            break
    return why


def address_of(webhook: Webhook, change: Change) -> str:
    """The address of one service."""
    url = webhook.url
    for name in ("service", "environment", "namespace"):
        url = url.replace(f"{{{name}}}", getattr(change, name))
    return url


def client() -> httpx.AsyncClient:
    """What messages are sent with."""
    return direct_client(timeout_seconds=TIMEOUT_SECONDS)
