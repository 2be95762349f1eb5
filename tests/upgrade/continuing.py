"""A delivery that goes on from what is there already: another's ledger, or one that came back from a backup."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from tests.delivery.delivery import TIMEOUTS, Delivery
from tests.delivery.shop import Shop
from workflows.client import Workflows
from workflows.clients.kubernetes import Cluster
from workflows.connection import connect
from workflows.drift.schedule import schedule_id
from workflows.ledger import Ledger
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput


@contextlib.asynccontextmanager
async def delivering(environ: dict[str, str], folder: Path, shop: Shop) -> AsyncIterator[Delivery]:
    """``shop``'s environment under ``environ``, no worker running yet; at the end nothing of it runs any more.

    Its task queue is called as the environment is. Temporal may lose it in between (``forget``).
    """
    client = await connect(environ)
    async with (
        await Ledger.open(environ["ADX_LEDGER_URL"]) as ledger,
        await Cluster.connect(environ["KUBECONFIG"], environ["ADX_KUBE_CONTEXT"]) as cluster,
    ):
        await ledger.migrate()
        await begin(client, shop.environment)
        workflows = Workflows(client, shop.environment)
        own = Delivery(shop.environment, environ, folder, shop, ledger, cluster, client, workflows)
        try:
            yield own
        finally:
            end_workers(own)
            await forget(client, shop.environment)
            await own.remove_namespaces()


async def begin(client: Client, environment: str) -> None:
    """Start the environment's workflow, which notices within a test that a worker is gone."""
    await client.start_workflow(
        EnvironmentWorkflow.run,
        EnvironmentInput(environment, timeouts=TIMEOUTS),
        id=environment_workflow_id(environment),
        task_queue=environment,
    )


async def forget(client: Client, environment: str) -> None:
    """Let Temporal know nothing of the environment any more."""
    for handle, end in (
        (client.get_workflow_handle(environment_workflow_id(environment)), "terminate"),
        (client.get_schedule_handle(schedule_id(environment, environment)), "delete"),
    ):
        with contextlib.suppress(RPCError):  # it is not there, or has ended
            await getattr(handle, end)()


def end_workers(delivery: Delivery) -> None:
    """End all workers in good order."""
    for worker in delivery.workers:
        worker.terminate()
    for worker in delivery.workers:
        worker.wait(30)
