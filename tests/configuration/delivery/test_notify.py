"""Webhooks that tell services of changes, to a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from policies.configuration.values import ConfigurationKey
from tests.configuration.delivery.doubles import new_secret
from tests.configuration.delivery.listener import Listener, listening
from tests.configuration.delivery.test_plan import kept
from tests.support.configuration import CIPHERTEXT, key, plain, sealed
from workflows.configuration import delivering, notify
from workflows.configuration.delivering import NotAcknowledged, changes_of, tell_services
from workflows.configuration.durable import Notified
from workflows.configuration.models import Record
from workflows.configuration.notify import Webhook, WebhooksRefused, client, tell

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
ROWS: dict[ConfigurationKey, Record | None] = {
    key(): kept(key(), plain(48), version=4),
    key("TOKEN", tenant="acme"): kept(key("TOKEN", tenant="acme"), sealed(), version=2),
    key("OLD", service="cart"): None,
}


@pytest.fixture
def service() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(new_secret() + "\n")
    return file


@pytest.fixture
def webhook(service: Listener, secret_file: Path) -> Webhook:
    return Webhook("staging", "frontend", f"{service.url}/{{namespace}}/{{service}}", str(secret_file))


def settings(tmp_path: Path, *webhooks: Webhook) -> dict[str, str]:
    """The worker's settings that name these webhooks."""
    file = tmp_path / "webhooks.json"
    file.write_bytes(msgspec.json.encode(webhooks))
    return {notify.SETTING: str(file)}


async def sent(webhook: Webhook, *, at: float = 1_800_000_000.0) -> tuple[str, list[float]]:
    """Why the change was not acknowledged, and the pauses between attempts."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    (_, change) = changes_of(ROWS, "rollout-1", is_restore=False)
    async with client() as http:
        return await tell(webhook, change, http, now=lambda: at, pause=pause), pauses


async def test_a_message_names_keys_and_versions_and_no_value(service: Listener, webhook: Webhook) -> None:
    """Whoever hears it reads the values with rights of its own."""
    assert await sent(webhook) == ("", [])

    ((_, body),) = service.got
    message = json.loads(body)
    assert message["type"] == "configuration.changed"
    assert message["values"] == [
        {"key": "PAGE_SIZE", "tenant": None, "version": 4},
        {"key": "TOKEN", "tenant": "acme", "version": 2},
    ]
    assert b"48" not in body
    assert CIPHERTEXT.encode() not in body


async def test_a_service_verifies_a_message_as_the_documentation_shows(
    service: Listener, webhook: Webhook, secret_file: Path
) -> None:
    """The example in docs/configuration.md runs; a changed body, another secret and an old message are refused."""
    example: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(import base64.*?)```", DOCS.read_text(), re.DOTALL)
    exec(code, example)
    verify, now = example["verify"], 1_800_000_000
    await sent(webhook, at=now)
    ((headers, body),) = service.got
    secret = secret_file.read_text().strip()

    assert verify(secret, headers, body, now + 10)
    assert not verify(secret, headers, body + b" ", now + 10)
    assert not verify(new_secret(), headers, body, now + 10)
    assert not verify(secret, headers, body, now + 301)
    assert not verify(secret, headers | {"webhook-id": "msg_other"}, body, now + 10)
    assert not verify(secret, {}, body, now + 10)


async def test_a_signature_is_what_the_specification_says(
    service: Listener, webhook: Webhook, secret_file: Path
) -> None:
    """Standard Webhooks: HMAC-SHA256 over id, time stamp and body, joined by dots."""
    await sent(webhook)

    ((headers, body),) = service.got
    raw = base64.b64decode(secret_file.read_text().strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert service.got[0][0]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("answers", "why", "attempts"),
    [
        ([503, 429, 204], "", 3),
        ([503], "answered 503", 4),
        ([410], "answered 410", 1),
        ([302], "answered 302", 1),
    ],
)
async def test_what_may_pass_is_repeated_and_what_will_not_is_not(
    service: Listener, webhook: Webhook, answers: list[int], why: str, attempts: int
) -> None:
    """The same message again, by its id; a redirect is not followed."""
    service.answers = answers

    found, pauses = await sent(webhook)

    assert (found, len(service.got)) == (why, attempts)
    assert pauses == [0.5, 1.0, 2.0][: attempts - 1]
    assert len({headers["webhook-id"] for headers, _ in service.got}) == 1


async def test_a_service_that_is_not_there_is_told_of(secret_file: Path) -> None:
    """Silence is recorded, and does not hold the others up."""
    why, pauses = await sent(Webhook("*", "*", "http://127.0.0.1:1/", str(secret_file)))

    assert why == "no answer (ConnectError)"
    assert len(pauses) == 3


async def test_who_acknowledged_is_known(
    service: Listener, webhook: Webhook, tmp_path: Path, secret_file: Path
) -> None:
    """Only services with a webhook are asked."""
    cart = Webhook("staging", "cart", f"{service.url}/cart", str(secret_file))

    assert await tell_services(settings(tmp_path, webhook), ROWS, "r", is_restore=False) == Notified(["frontend"])
    service.answers = [404]
    told = await tell_services(settings(tmp_path, webhook, cart), ROWS, "r", is_restore=False)

    assert told == Notified([], {"cart": "answered 404", "frontend": "answered 404"})
    assert await tell_services({}, ROWS, "r", is_restore=False) == Notified()


async def test_a_required_webhook_that_is_silent_fails_the_delivery_but_not_its_restore(
    service: Listener, webhook: Webhook, tmp_path: Path
) -> None:
    """Otherwise a broken service would keep the values from coming back."""
    service.answers = [404]
    environ = settings(tmp_path, msgspec.structs.replace(webhook, required=True))

    with pytest.raises(NotAcknowledged, match="frontend did not acknowledge"):
        await tell_services(environ, ROWS, "r", is_restore=False)
    assert (await tell_services(environ, ROWS, "r", is_restore=True)).silent == {"frontend": "answered 404"}


@pytest.mark.parametrize(
    "content",
    ["", "{", '[{"environment": "*"}]', '[{"environment":"*","service":"*","url":"file:///x","secret_file":"x"}]'],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str) -> None:
    """Nobody is told nothing by mistake."""
    file = tmp_path / "webhooks.json"
    file.write_text(content)

    with pytest.raises(WebhooksRefused):
        notify.webhooks_from({notify.SETTING: str(file)})


@pytest.mark.parametrize("content", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!"])
def test_a_secret_that_protects_nothing_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    """Empty, short, or none."""
    file = tmp_path / "secret"
    file.write_text(content)

    with pytest.raises(WebhooksRefused) as refused:
        notify.read_secret(str(file))
    assert "c2hvcnQ" not in str(refused.value)


def test_messages_of_one_change_have_ids_that_stay_and_differ() -> None:
    """So that a service knows a repeated message, and no other for it."""
    first, again = (changes_of(ROWS, "rollout-1", is_restore=False) for _ in range(2))
    other = changes_of(ROWS, "rollout-2", is_restore=False)

    assert [one.id for one in first] == [one.id for one in again]
    assert len({one.id for one in [*first, *other]}) == 4


async def test_a_message_is_not_sent_by_way_of_a_proxy(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the worker's process do not lead messages elsewhere."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert (await sent(webhook))[0] == ""


def test_only_a_store_of_its_own_is_written_to() -> None:
    """The ledger's database, which readers fall back to, is not."""
    assert not delivering.is_configured({"ADX_LEDGER_URL": "postgresql://ledger"})
    assert delivering.is_configured({"ADX_CONFIGURATION_URL": "postgresql://store"})
