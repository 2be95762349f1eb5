"""What ``python -m scripts.drills.recovery`` does, on the shared servers: all is lost but git and a backup."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from scripts.drills.backing import back_up, lose, put_back
from tests.delivery.delivery import Delivery
from tests.delivery.drift_worker import CHECK_EVERY_SECONDS, checked, ended, serving
from tests.delivery.shop import Shop
from tests.security.worker_role import limited_kubeconfig
from tests.support.local_stack import LocalStack
from tests.upgrade.continuing import delivering, forget
from workflows.connection import connect
from workflows.drift.schedule import schedule_id
from workflows.ledger import Ledger, audit, environments, rollouts
from workflows.ledger.models import NewRollout
from workflows.rollout.environment import environment_workflow_id
from workflows.rollout.models import EnvironmentInput
from workflows.rollout.resuming import Resumed, resume, what_is_lost


async def test_what_was_lost_comes_back_from_the_backup(
    local_stack: LocalStack, ledger_url: str, tmp_path: Path
) -> None:
    """Ledger, snapshots, state, keys, Temporal's knowledge and every object; workers have the rights of the guide."""
    name = f"e{uuid.uuid4().hex[:8]}"
    shop = Shop(tmp_path, name)
    shop.rules["drift"] = {"check_every_seconds": CHECK_EVERY_SECONDS, "heal": "always"}
    with limited_kubeconfig(local_stack.kubeconfig, local_stack.kube_context, tmp_path, name) as kubeconfig:
        environ = _own(local_stack, ledger_url, tmp_path, name) | {"KUBECONFIG": str(kubeconfig)}
        async with delivering(environ, tmp_path, shop) as delivery:
            shop.merge("first")
            async with serving(delivery):
                assert (await delivery.deliver()).outcome == "delivered"
            then, trail = await delivery.live(), await audit.verify_chain(delivery.ledger)
            back_up(environ, tmp_path / "backup")

            await _lose_everything(delivery)
            put_back(environ, tmp_path / "backup")
            assert await resume(delivery.ledger, delivery.client, name) == Resumed((), ())
            delivery.start_worker()
            await _schedule_is_back(delivery)
            await checked(delivery)

            assert (await ended(delivery)).status == "delivered"
            assert await delivery.live() == then
            await audit.verify_chain(delivery.ledger, kept=trail)
            shop.services["frontend"]["version"] = "v1.3.0"
            commit = shop.merge("the next change")
            status = await delivery.deliver()
            assert (status.outcome, status.commit) == ("delivered", commit), status.failure


async def test_a_temporal_that_came_back_empty_is_told_what_the_ledger_knows(
    local_stack: LocalStack, ledger_url: str
) -> None:
    """A frozen environment stays frozen; a rollout that nobody runs has ended, in the audit trail too; others go on."""
    name = f"e{uuid.uuid4().hex[:8]}"
    client = await connect(local_stack.environment)
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        who = {"commit": "a" * 40, "requested_by": "ada", "source": "cli"}
        lost = NewRollout(id=f"lost-{name}", environment=name, kind="deliver", **who)
        await rollouts.start(ledger, lost)
        running = NewRollout(id=f"running-{name}", environment=name, kind="deliver", **who)
        await rollouts.start(ledger, running)
        handle = await client.start_workflow("Anything", id=running.id, task_queue=name)  # no worker takes it
        await environments.freeze(ledger, name, reason="could not be restored", rollout_id=lost.id)
        try:
            wanted = Resumed(frozen=(name,), ended=(lost.id,))
            assert await what_is_lost(ledger, client) == wanted
            assert [one.id for one in await rollouts.unfinished(ledger)] == [lost.id, running.id]
            assert await resume(ledger, client, name) == wanted
            assert [one.id for one in await rollouts.unfinished(ledger)] == [running.id]
            assert await _frozen_for(client, name) == "could not be restored"
            assert await resume(ledger, client, name) == Resumed(frozen=(name,), ended=())
            await handle.terminate()
            assert (await resume(ledger, client, name)).ended == (running.id,)
        finally:
            await forget(client, name)
        newest, *_ = await audit.entries(ledger, environment=name)
        assert newest.action == "rollout.failed"


def _own(stack: LocalStack, ledger_url: str, folder: Path, name: str) -> dict[str, str]:
    """Settings over folders and keys of the test's own, which it may destroy."""
    (folder / "snapshots").mkdir()
    (folder / "pulumi").mkdir()
    environ = stack.environment | {
        "ADX_HOME": str(folder / "home"),
        "ADX_REPO": str(folder / "remote.git"),
        "ADX_TASK_QUEUE": name,
        "ADX_LEDGER_URL": ledger_url,
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "PULUMI_BACKEND_URL": (folder / "pulumi").as_uri(),
        "ADX_POLL_SECONDS": "0",
    }
    for key in ("ADX_SNAPSHOT_KEY_FILE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        environ[key] = shutil.copy2(environ[key], folder / key)
    return environ


async def _lose_everything(delivery: Delivery) -> None:
    lose(delivery.environ)
    await forget(delivery.client, delivery.environment)
    shutil.rmtree(delivery.folder / "home")
    await delivery.remove_namespaces()
    while await delivery.live():
        await asyncio.sleep(0.1)


async def _schedule_is_back(delivery: Delivery) -> None:
    """A worker that starts makes the schedules that the ledger and git say there are."""
    handle = delivery.client.get_schedule_handle(schedule_id(delivery.environment, delivery.environment))
    while True:
        try:
            await handle.describe()
        except RPCError:
            assert delivery.workers[-1].poll() is None, delivery.logs()
            await asyncio.sleep(0.1)
        else:
            return


async def _frozen_for(client: Client, environment: str) -> str:
    """Why the workflow of the environment was started frozen."""
    history = await client.get_workflow_handle(environment_workflow_id(environment)).fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    (started,) = await client.data_converter.decode(payloads, [EnvironmentInput])
    return str(started.frozen.reason)
