"""The API on real servers: a ledger, Temporal, a worker and the tenants' database."""

from __future__ import annotations

import asyncio
import uuid

import httpx
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from pipelines.api import claims
from pipelines.api.claims import body_of
from pipelines.api.starter import Claim, Filter, Meant
from pipelines.api.temporal import PREFIX
from pipelines.api.wire import MigrationAsked
from pipelines.settings import load
from tests.api.world import World, over
from workflows.ledger import Ledger, audit

URL = "/api/migrations"


def asked(version: int = 2, **changes: object) -> dict[str, object]:
    """A request of its own, for acme."""
    return {"id": f"release-{uuid.uuid4().hex[:12]}", "target_version": version, "tenant_id": "acme", **changes}


async def started(api: httpx.AsyncClient, body: dict[str, object]) -> str:
    answer = await api.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["operation_id"])


async def test_a_migration_runs_to_its_end_and_is_told_step_by_step(world: World) -> None:
    async with world.api() as api, world.worker():
        found = await over(api, await started(api, asked(2)))

    assert (found["status"], found["database"], found["environment"]) == ("succeeded", "shop", world.environment)
    assert found["progress"]["percent"] == 100
    assert found["progress"]["tenants"]["succeeded"] == found["progress"]["tenants"]["total"] == 1
    assert [one["status"] for one in found["progress"]["steps"]] == ["succeeded"] * 4
    assert found["started_at"] < found["ended_at"]
    assert world.version_of("acme") == 2


async def test_two_servers_asked_at_once_start_it_once(world: World) -> None:
    """Each with connections of its own; the second request changes nothing, while it runs and afterwards."""
    body = asked(1)
    async with await Ledger.open(world.settings.ledger_url) as second:
        other = world.starter()
        other._ledger = second
        async with world.api() as one, world.api(other) as two, world.worker():
            answers = await asyncio.gather(*(api.post(URL, json=body) for api in (one, two) * 5))
            assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
            await over(one, str(body["id"]))
            again = await two.post(URL, json=body)

    assert again.status_code == 200
    runs = [one async for one in world.client.list_workflows(f"WorkflowId = '{PREFIX}{body['id']}'")]
    assert len(runs) <= 1  # the list may be late, and never holds more than there are


async def test_without_a_tenant_every_tenant_is_migrated(world: World) -> None:
    """In waves, and counted."""
    async with world.api() as api, world.worker():
        found = await over(api, await started(api, asked(2, tenant_id=None)))

    assert found["status"] == "succeeded", found
    assert found["progress"]["tenants"] | {"total": 2, "succeeded": 2, "failed": 0} == found["progress"]["tenants"]
    assert {one["status"] for one in found["progress"]["steps"]} == {"succeeded"}
    assert (world.version_of("acme"), world.version_of("globex")) == (2, 2)


async def test_a_tenant_that_fails_takes_all_back(world: World) -> None:
    async with world.api() as api, world.worker():
        await over(api, await started(api, asked(1, tenant_id=None)))
        found = await over(api, await started(api, asked(4, tenant_id=None)))

    assert found["status"] == "rolled_back", found
    assert found["failure"]["message"]
    assert (world.version_of("acme"), world.version_of("globex")) == (1, 1)


async def test_a_script_that_fails_leaves_what_was_there_and_says_why(world: World) -> None:
    async with world.api() as api, world.worker():
        await over(api, await started(api, asked(2)))
        found = await over(api, await started(api, asked(4)))

    assert found["status"] == "rolled_back"
    assert "division by zero" in found["failure"]["message"] or "value does not fit" in found["failure"]["message"]
    assert found["failure"]["next_step"]
    assert world.version_of("acme") == 2


async def test_a_version_that_does_not_exist_is_refused_before_anything_is_done(world: World) -> None:
    async with world.api() as api, world.worker():
        found = await over(api, await started(api, asked(17)))

    assert found["status"] == "failed"
    assert "no version 17" in found["failure"]["message"]


async def test_a_cancelled_migration_ends_on_the_server_and_is_taken_back(world: World) -> None:
    """It waits for a lock that somebody else holds."""
    async with world.api() as api, world.worker():
        await over(api, await started(api, asked(1)))
        with world.connection() as holder, holder.transaction():
            holder.execute("LOCK TABLE acme.orders")
            operation = await started(api, asked(2))
            await _until_waiting(world)
            answer = await api.post(f"/api/operations/{operation}/cancel")
            assert answer.status_code == 200
            await _until_nobody_waits(world)
        found = await over(api, operation)

    assert (found["status"], found["is_over"]) == ("cancelled", True)
    assert world.version_of("acme") == 1
    trail = [one for one in await audit.entries(world.ledger) if one.detail.get("operation_id") == PREFIX + operation]
    assert [(one.action, one.actor, one.source, one.environment) for one in trail] == [
        ("migrations.cancel", "api:local", "api", world.environment),
        ("migrations.run", "api:local", "api", world.environment),
    ]
    assert trail[0].detail == {"operation_id": PREFIX + operation, "database": "shop", "tenant": "acme"}


@pytest.mark.parametrize(
    ("changes", "status", "place"),
    [
        ({"tenant_id": "initech"}, 404, "body.tenant_id"),
        ({"environment": "nowhere"}, 404, "body.environment"),
        ({"database": "billing"}, 404, "body.database"),
    ],
)
async def test_what_is_not_delivered_cannot_be_migrated(
    world: World, changes: dict[str, object], status: int, place: str
) -> None:
    """Nothing is claimed: the id stays free."""
    body = asked(2, **changes)
    async with world.api() as api:
        answer = await api.post(URL, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (status, place)
    assert await claims.look(world.ledger, str(body["id"])) == (None, None)


async def test_an_operation_outlives_what_temporal_remembers(world: World) -> None:
    """It is not started again, seen before it was forgotten or not."""
    seen, unseen = asked(1), asked(2)
    async with world.api() as api, world.worker():
        before = await over(api, await started(api, seen))
        await started(api, unseen)
        await world.client.get_workflow_handle(f"{PREFIX}{unseen['id']}").result()
        for body in (seen, unseen):
            await _forget(world, f"{PREFIX}{body['id']}")
            assert (await api.post(URL, json=body)).status_code == 200
        after = (await api.get(f"/api/operations/{seen['id']}")).json()
        other = (await api.get(f"/api/operations/{unseen['id']}")).json()

    assert after == before
    assert (other["status"], other["progress"]["tenants"]["succeeded"]) == ("succeeded", 1)
    with pytest.raises(Exception, match="not found"):
        await world.client.get_workflow_handle(f"{PREFIX}{unseen['id']}").describe()


async def test_what_was_claimed_and_not_started_is_started_by_the_next_request(world: World) -> None:
    """As after the crash of a server between the two."""
    body = asked(1)
    wanted = MigrationAsked.model_validate(body)
    meant = Meant(id=wanted.id, environment=world.environment, database="shop", tenant_id="acme", target_version=1)
    await claims.record(world.ledger, Claim(asked=body_of(wanted), meant=meant, requested_by="api:local"))
    async with world.api() as api, world.worker():
        waiting = (await api.get(f"/api/operations/{wanted.id}")).json()
        await started(api, body)
        found = await over(api, wanted.id)

    assert (waiting["status"], waiting["is_over"]) == ("waiting", False)
    assert found["status"] == "succeeded"


async def test_without_a_worker_it_waits_and_says_so(world: World) -> None:
    async with world.api() as api:
        operation = await started(api, asked(1))
        found = (await api.get(f"/api/operations/{operation}")).json()

    assert (found["status"], found["is_over"]) == ("waiting", False)
    assert "no worker" in found["progress"]["message"]


@pytest.mark.parametrize("away", ["ADX_TEMPORAL_ADDRESS", "ADX_LEDGER_URL"])
async def test_what_is_away_is_told_and_the_request_can_be_sent_again(world: World, away: str) -> None:
    body = asked(1)
    gone = {"ADX_TEMPORAL_ADDRESS": "127.0.0.1:1", "ADX_LEDGER_URL": "postgresql+psycopg://adx@127.0.0.1:1/adx"}
    broken = world.starter()
    broken._settings = load(world.environ | {away: gone[away]}, working_folder=world.folder)
    broken._ledger = Ledger(broken._settings.ledger_url)
    async with world.api(broken) as api:
        answer = await api.post(URL, json=body)
    await broken._ledger.close()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["next_step"]
    async with world.api() as api, world.worker():
        assert (await over(api, await started(api, body)))["status"] == "succeeded"


async def test_operations_are_listed_newest_first_page_by_page(world: World) -> None:
    async with world.api() as api, world.worker():
        bodies = (asked(1), asked(2), asked(1, tenant_id="globex"))
        ids = [(await over(api, await started(api, body)))["operation_id"] for body in bodies]
        here = {"environment": world.environment}
        first = (await api.get("/api/operations", params={**here, "limit": "2"})).json()
        second = (await api.get("/api/operations", params={**here, "limit": "2", "after": first["next"]})).json()
        globex = (await api.get("/api/operations", params={**here, "tenant_id": "globex"})).json()
        failed = (await api.get("/api/operations", params={**here, "status": "failed"})).json()
        elsewhere = (await api.get("/api/operations", params={"environment": "nowhere"})).json()
        wrong = await api.get("/api/operations", params={"after": "never-heard-of"})

    pages = [[one["operation_id"] for one in page["operations"]] for page in (first, second)]
    assert pages == [ids[:0:-1], ids[:1]]
    assert second["next"] is None
    assert [one["operation_id"] for one in globex["operations"]] == ids[2:]
    assert failed["operations"] == elsewhere["operations"] == []
    assert wrong.status_code == 404


async def test_no_answer_holds_the_password_of_a_database(world: World) -> None:
    """Nor does the ledger's record of the request, nor the workflow's history."""
    from urllib.parse import urlsplit

    secret = urlsplit(world.server_url).password or ""
    async with world.api() as api, world.worker():
        operation = await started(api, asked(4))
        await over(api, operation)
        answers = [(await api.get(place)).text for place in ("/api/operations", f"/api/operations/{operation}")]
    history = await world.client.get_workflow_handle(PREFIX + operation).fetch_history()
    kept = [str(one) for one in await claims.newest(world.ledger, Filter(), None, 50)]

    assert len(secret) > 8
    assert not any(secret in text for text in (*answers, *kept, history.to_json()))


async def _forget(world: World, workflow_id: str) -> None:
    """As Temporal does when the retention of a workflow is over."""
    execution = WorkflowExecution(workflow_id=workflow_id)
    request = DeleteWorkflowExecutionRequest(namespace=world.client.namespace, workflow_execution=execution)
    await world.client.workflow_service.delete_workflow_execution(request)
    handle = world.client.get_workflow_handle(workflow_id)
    while True:
        try:
            await handle.describe()
        except Exception as error:  # noqa: BLE001 - the text is what is waited for
            assert "not found" in str(error)  # noqa: PT017
            return
        await asyncio.sleep(0.1)


WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


async def _until_waiting(world: World) -> None:
    with world.connection() as connection:
        while connection.execute(WAITING, (world.database,)).fetchone() == (0,):
            await asyncio.sleep(0.02)


async def _until_nobody_waits(world: World) -> None:
    """While the lock is still held: whoever waited for it was cancelled on the server."""
    with world.connection() as connection:
        while connection.execute(WAITING, (world.database,)).fetchone() != (0,):
            await asyncio.sleep(0.02)
