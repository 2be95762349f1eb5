"""The webhook's HTTP side, by real requests to a real server; only the submission is recorded instead of made."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from pipelines import webhook
from pipelines.webhook import PATH, Receiver
from policies.errors import AdxError
from tests.pipelines.github import COMMIT, REPOSITORY, SECRET, Recorded, headers, push, receiver, signature
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


async def test_signed_push_to_the_branch_submits_its_head_commit() -> None:
    async with receiver() as served:
        answer = await served.post(push())
    assert answer.status_code == 202
    assert served.recorded.submitted == [(COMMIT, "github:ana")]
    assert answer.json()["intake"] == "intake-1"


async def test_missing_signature_is_refused() -> None:
    body = push()
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_hub_signature_256=None))
    assert (answer.status_code, served.recorded.submitted) == (401, [])


async def test_sha1_signature_alone_is_refused() -> None:
    body = push()
    sha1 = "sha1=" + hmac.new(SECRET, body, hashlib.sha1).hexdigest()
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_hub_signature_256=None, x_hub_signature=sha1))
    assert (answer.status_code, served.recorded.submitted) == (401, [])
    assert "SHA-1" in answer.json()["message"]


@pytest.mark.parametrize(
    "forged",
    [
        "sha256=" + "0" * 64,
        "sha256=" + signature(push())[7:].upper(),
        signature(push())[7:],
        "sha512=" + "0" * 128,
        "sha256=",
        signature(push(), b"another secret"),
        signature(push(), b""),
    ],
)
async def test_wrong_signature_is_refused(forged: str) -> None:
    body = push()
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_hub_signature_256=forged))
    assert (answer.status_code, served.recorded.submitted) == (401, [])


async def test_two_signature_headers_are_refused() -> None:
    body = push()
    pairs = [*headers(body).items(), ("x-hub-signature-256", "sha256=" + "0" * 64)]
    async with receiver() as served:
        answer = await served.client.post(PATH, content=body, headers=pairs)
    assert (answer.status_code, served.recorded.submitted) == (401, [])


async def test_body_that_was_serialised_anew_is_refused() -> None:
    """The signature is of the raw bytes: the same JSON with other spaces is another body."""
    body = push()
    again = json.dumps(json.loads(body), indent=1).encode()
    async with receiver() as served:
        answer = await served.post(again, headers(body))
    assert (answer.status_code, served.recorded.submitted) == (401, [])


@pytest.mark.parametrize("secret", [b"", b" ", b"\n"])
def test_receiver_with_an_empty_secret_refuses_to_start(secret: bytes) -> None:
    recorded = Recorded()
    with pytest.raises(AdxError, match="secret is empty"):
        Receiver(secret=secret, repository=REPOSITORY, branch="main", submit=recorded.submit, deliveries=recorded)


async def test_declared_huge_body_is_refused_before_it_is_read() -> None:
    async with receiver(limit_bytes=1000) as served:
        answer = await served.post(b"x" * 1001)
    assert (answer.status_code, served.recorded.submitted) == (413, [])


async def test_huge_body_without_content_length_is_refused_while_it_streams() -> None:
    """A body of 2 GB in chunks: the answer comes after the first bytes beyond the limit."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(2_000_000):
            sent += 1000
            yield b"x" * 1000

    async with receiver(limit_bytes=10_000) as served:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
            f"x-hub-signature-256: {signature(b'')}\r\n\r\n".encode()
        )
        answer = asyncio.create_task(reader.readline())
        async for chunk in endless():
            if answer.done():
                break
            writer.write(b"3e8\r\n" + chunk + b"\r\n")
            await asyncio.sleep(0)
        status = await answer
        writer.close()
    assert b"413" in status
    assert sent < 5_000_000
    assert served.recorded.submitted == []


async def test_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_WITHIN_SECONDS", 0.05)
    async with receiver() as served:
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n"
            f"x-hub-signature-256: {signature(b'')}\r\n\r\nabc".encode()
        )
        status = await reader.readline()
        writer.close()
    assert b"408" in status


async def test_replayed_delivery_is_known_and_does_nothing() -> None:
    body = push()
    sent = headers(body)
    async with receiver() as served:
        first, second = await served.post(body, sent), await served.post(body, sent)
    assert (first.status_code, second.status_code) == (202, 200)
    assert "already known" in second.json()["message"]
    assert len(served.recorded.submitted) == 1


async def test_replayed_delivery_is_known_in_another_case() -> None:
    body, delivery = push(), str(uuid.uuid4())
    async with receiver() as served:
        await served.post(body, headers(body, x_github_delivery=delivery))
        second = await served.post(body, headers(body, x_github_delivery=delivery.upper()))
    assert second.status_code == 200
    assert len(served.recorded.submitted) == 1


async def test_two_copies_at_once_are_submitted_once() -> None:
    body, recorded = push(), Recorded(gate=asyncio.Event())
    sent = headers(body)
    async with receiver(recorded) as served:
        first = asyncio.create_task(served.post(body, sent))
        await recorded.entered.wait()
        second = await served.post(body, sent)
        assert recorded.gate is not None
        recorded.gate.set()
        assert ((await first).status_code, second.status_code) == (202, 200)
    assert len(recorded.submitted) == 1


async def test_delivery_whose_submission_failed_is_not_remembered() -> None:
    """What was not submitted must not be taken for known when GitHub's user sends it again."""
    body, recorded = push(), Recorded(failure=AdxConnectionError("Temporal does not answer"))
    sent = headers(body)
    async with receiver(recorded) as served:
        first = await served.post(body, sent)
        recorded.failure = None
        second = await served.post(body, sent)
    assert (first.status_code, second.status_code) == (503, 202)
    assert len(recorded.submitted) == 2
    assert list(recorded.known) == [sent["x-github-delivery"]]


@pytest.mark.parametrize(
    "delivery", [None, "", "1", "../../etc/passwd", "x" * 36, "7e57ed00-0000-4000-8000-000000000000\t;"]
)
async def test_delivery_id_that_is_no_guid_is_refused(delivery: str | None) -> None:
    body = push()
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_github_delivery=delivery))
    assert (answer.status_code, served.recorded.submitted) == (400, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"ref": "refs/heads/main"}',
        push(after="HEAD"),
        push(after="--upload-pack=touch /tmp/x"),
        push(after=COMMIT[:10]),
        push(ref=7),
        push(repository=None),
        b'{"ref": ' + b"[" * 100_000,
    ],
)
async def test_malformed_body_is_refused(body: bytes) -> None:
    async with receiver() as served:
        answer = await served.post(body)
    assert (answer.status_code, served.recorded.submitted) == (400, [])


async def test_event_of_another_repository_is_refused() -> None:
    body = push(repository={"full_name": "mallory/platform"})
    async with receiver() as served:
        answer = await served.post(body)
    assert (answer.status_code, served.recorded.submitted) == (403, [])


async def test_repository_is_the_same_in_another_case() -> None:
    async with receiver() as served:
        answer = await served.post(push(repository={"full_name": "ACME/Platform"}))
    assert answer.status_code == 202
    assert len(served.recorded.submitted) == 1


@pytest.mark.parametrize("ref", ["refs/heads/main2", "refs/heads/x/main", "refs/tags/main", "main", "refs/heads/$(id)"])
async def test_push_to_another_ref_is_ignored(ref: str) -> None:
    async with receiver() as served:
        answer = await served.post(push(ref=ref))
    assert (answer.status_code, served.recorded.submitted) == (202, [])


@pytest.mark.parametrize("changes", [{"deleted": True}, {"after": "0" * 40}, {"after": "0" * 40, "deleted": True}])
async def test_deleted_branch_is_ignored(changes: dict[str, object]) -> None:
    async with receiver() as served:
        answer = await served.post(push(**changes))
    assert (answer.status_code, served.recorded.submitted) == (202, [])


async def test_ping_is_answered() -> None:
    body = b'{"zen": "Keep it logically awesome."}'
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_github_event="ping"))
    assert (answer.status_code, answer.json()) == (200, {"message": "pong"})


@pytest.mark.parametrize("event", ["pull_request", "workflow_run", "", "PUSH"])
async def test_other_events_are_ignored(event: str) -> None:
    """A pull request, from a fork or not, can cause nothing here."""
    body = push()
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_github_event=event))
    assert (answer.status_code, served.recorded.submitted) == (202, [])


async def test_unsigned_ping_is_refused() -> None:
    body = b"{}"
    async with receiver() as served:
        answer = await served.post(body, headers(body, x_github_event="ping", x_hub_signature_256=None))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"content_type": "application/x-www-form-urlencoded"}, {"content_type": None}, {"content_encoding": "gzip"}],
)
async def test_body_that_is_not_plain_json_is_refused(changes: dict[str, str | None]) -> None:
    body = push()
    async with receiver() as served:
        answer = await served.post(body, headers(body, **changes))
    assert (answer.status_code, served.recorded.submitted) == (415, [])


async def test_only_post_is_allowed() -> None:
    async with receiver() as served:
        assert (await served.client.get(PATH)).status_code == 405


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (AdxConnectionError("Temporal does not answer"), 503),
        (AdxTimeoutError("no answer"), 503),
        (AdxValidationError("not on the branch", next_step="merge it"), 422),
    ],
)
async def test_failed_submission_is_told_to_the_sender(failure: AdxError, status: int) -> None:
    async with receiver(Recorded(failure=failure)) as served:
        answer = await served.post(push())
    assert answer.status_code == status
    assert answer.json()["message"] == str(failure)


async def test_answer_comes_before_github_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "ANSWER_WITHIN_SECONDS", 0.05)
    recorded = Recorded(gate=asyncio.Event())
    async with receiver(recorded) as served:
        answer = await served.post(push())
    assert answer.status_code == 503
    assert recorded.known == {}


async def test_name_of_who_pushed_cannot_forge_a_line() -> None:
    async with receiver() as served:
        await served.post(push(sender={"login": "ana\nforged line \u202e" + "x" * 200}))
    [(_, requested_by)] = served.recorded.submitted
    assert requested_by.startswith(r"github:ana\nforged line \u202e")
    assert len(requested_by) <= 107


async def test_secret_is_in_no_answer_and_no_repr() -> None:
    async with receiver() as served:
        texts = [(await served.post(body)).text for body in (push(), b"{", push(ref="x"))]
        texts.append((await served.client.get("/metrics")).text)
    recorded = Recorded()
    made = Receiver(secret=SECRET, repository=REPOSITORY, branch="main", submit=recorded.submit, deliveries=recorded)
    assert SECRET.decode() not in "".join(texts) + repr(made)


async def test_outcomes_are_counted() -> None:
    async with receiver() as served:
        before = (await served.client.get("/metrics")).text
        await served.post(b"{")
        after = (await served.client.get("/metrics")).text
    line = 'adx_webhook_deliveries_total{outcome="malformed"} '
    assert _value(after, line) == _value(before, line) + 1


def _value(text: str, start: str) -> float:
    return next((float(line.removeprefix(start)) for line in text.splitlines() if line.startswith(start)), 0.0)
