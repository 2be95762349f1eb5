"""The receiver with a real ledger and a real Temporal server: nothing is faked here."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from pipelines import webhook
from pipelines.receiver import Connections, full_name_of, secret_of
from pipelines.settings import Settings, load
from pipelines.webhook import PATH, Receiver, application
from policies.errors import AdxError
from tests.pipelines.github import REPOSITORY, SECRET, headers, push
from tests.support.local_stack import LocalStack
from workflows.ledger import Ledger
from workflows.telemetry import probes
from workflows.telemetry.serving import bind, served


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """First connections to busy servers may take longer than GitHub waits; the limits have tests of their own."""
    monkeypatch.setattr(probes, "CHECK_TIMEOUT_SECONDS", 60)
    monkeypatch.setattr(webhook, "ANSWER_WITHIN_SECONDS", 60)


@pytest.fixture
async def settings(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> Settings:
    """Settings of a receiver of its own: an own database, an own task queue that no worker listens to."""
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
    own = {"ADX_LEDGER_URL": ledger_url, "ADX_TASK_QUEUE": f"queue-{uuid.uuid4().hex}", "ADX_HOME": str(tmp_path)}
    return load({**local_stack.environment, **own}, working_folder=tmp_path)


@asynccontextmanager
async def receiving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A receiver as `adx webhook` makes it."""
    ledger = Ledger(settings.ledger_url)
    connections = Connections(settings, ledger)
    made = Receiver(
        secret=SECRET, repository=REPOSITORY, branch="main", submit=connections.submit, deliveries=connections
    )
    checks = {"ledger": ledger.ping, "temporal": connections.check_temporal}
    async with (
        served(application(made, checks), bind("0")) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=90) as client,
    ):
        yield client
    await ledger.close()


async def test_push_becomes_a_durable_intake_with_commit_and_name(local_stack: LocalStack, settings: Settings) -> None:
    """Without any worker: once the receiver has answered, Temporal holds the work."""
    body = push(after=uuid.uuid4().hex + "0" * 8)
    async with receiving(settings) as client:
        answer = await client.post(PATH, content=body, headers=headers(body))
    assert answer.status_code == 202
    temporal = await Client.connect(local_stack.temporal_address)
    description = await temporal.get_workflow_handle(answer.json()["intake"]).describe()
    assert description.task_queue == settings.task_queue
    assert description.workflow_type == "IntakeWorkflow"
    await temporal.get_workflow_handle(answer.json()["intake"]).terminate()


async def test_replay_is_known_to_another_receiver(local_stack: LocalStack, settings: Settings) -> None:
    """Delivery ids outlive the process that saw them."""
    body = push()
    sent = headers(body)
    async with receiving(settings) as client:
        first = await client.post(PATH, content=body, headers=sent)
    async with receiving(settings) as client:
        second = await client.post(PATH, content=body, headers=sent)
    assert (first.status_code, second.status_code) == (202, 200)
    temporal = await Client.connect(local_stack.temporal_address)
    await temporal.get_workflow_handle(first.json()["intake"]).terminate()


async def test_receiver_without_temporal_is_live_not_ready_and_remembers_nothing(settings: Settings) -> None:
    body = push()
    sent = headers(body)
    gone = {**settings.values, "ADX_TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with receiving(load(gone, working_folder=settings.home)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert set((await client.get("/readyz")).json()["failed"]) == {"temporal"}
        assert (await client.post(PATH, content=body, headers=sent)).status_code == 503
    async with await Ledger.open(settings.ledger_url) as ledger:
        assert not await Connections(settings, ledger).is_known(sent["x-github-delivery"])


async def test_receiver_without_ledger_submits_nothing(settings: Settings) -> None:
    """Whether the delivery is a replay cannot be known, so the sender is told to try again."""
    body = push()
    gone = {**settings.values, "ADX_LEDGER_URL": "postgresql+psycopg://adx@127.0.0.1:1/adx"}
    async with receiving(load(gone, working_folder=settings.home)) as client:
        assert set((await client.get("/readyz")).json()["failed"]) == {"ledger"}
        assert (await client.post(PATH, content=body, headers=headers(body))).status_code == 503


async def test_receiver_with_both_is_ready(settings: Settings) -> None:
    async with receiving(settings) as client:
        assert (await client.get("/readyz")).json() == {"ready": True, "checks": ["ledger", "temporal"], "failed": {}}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/platform.git", "acme/platform"),
        ("https://github.com/acme/platform/", "acme/platform"),
        ("git@github.com:acme/platform.git", "acme/platform"),
        ("ssh://git@github.com/acme/platform", "acme/platform"),
        ("/srv/git/platform.git", "git/platform"),
    ],
)
def test_full_name_follows_from_the_address(address: str, name: str) -> None:
    assert full_name_of(address) == name


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\n"])
def test_empty_secret_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    settings = load({"ADX_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}, working_folder=tmp_path)
    with pytest.raises(AdxError, match="is empty"):
        secret_of(settings)


def test_missing_secret_file_is_refused(tmp_path: Path) -> None:
    settings = load({"ADX_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}, working_folder=tmp_path)
    with pytest.raises(AdxError, match="cannot be read"):
        secret_of(settings)


def test_line_break_that_an_editor_adds_is_no_part_of_the_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s3cr3t\n")
    assert secret_of(load({"ADX_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}, working_folder=tmp_path)) == b"s3cr3t"
