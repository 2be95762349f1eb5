"""How long 1,000 changed values of one merge take until a running service has them all.

Timed from the submission of the commit, through the whole guarded rollout on
real parts, to the moment at which a reader that heard of the change holds
every new value. Ten services with a hundred values each; their pods restart,
too, since they get the values as environment variables as well.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import os
import signal
import tempfile
import time
import uuid
from pathlib import Path

import yaml

from policies.configuration.values import ConfigurationKey
from scripts.bench.bench_engine import running_stack
from scripts.bench.fleet_repository import SERVICE, FleetRepository
from scripts.bench.own_worker import own_settings, start_worker
from scripts.bench.rows import Row, absolute
from scripts.stack import Home, Stack
from scripts.stack.parts import postgres
from workflows.client import Workflows
from workflows.configuration.reading import ConfigurationReader
from workflows.connection import connect
from workflows.intake.models import Intake

NAME = "configuration.delivery_1000_changes"
RUNS, SERVICES, KEYS = 3, 10, 100
LOOK_INTERVAL_SECONDS = 0.02


def rows() -> list[Row]:
    """The one figure. Uses the stack in ``ADX_TEST_STACK_HOME`` when that is set, otherwise starts one."""
    with running_stack() as environ, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        own = Stack(Path(folder) / "own")
        try:
            own.up(["postgres", "redis"])
            settings = {
                **os.environ,
                **environ,
                "ADX_REDIS_URL": own.environment()["ADX_REDIS_URL"],
                "ADX_CONFIGURATION_URL": postgres.superuser_url(Home(own.home), own.port("postgres", "sql")),
                "ADX_CONFIGURATION_CACHE_KEY": base64.b64encode(os.urandom(32)).decode(),
            }
            return asyncio.run(_measure(settings, Path(folder)))
        finally:
            own.down()


async def _measure(environ: dict[str, str], folder: Path) -> list[Row]:
    name = uuid.uuid4().hex[:6]
    repository = FleetRepository(folder, f"conf{name}", tenants=1)
    repository.declare(pods=5)
    environ |= own_settings(folder, name, repository.remote)
    (folder / "engine-backend").mkdir()
    worker = start_worker(environ, folder)
    try:
        client = Workflows(await connect(environ), environ["ADX_TASK_QUEUE"])
        async with ConfigurationReader.from_settings(environ) as reader:
            await _deliver(client, repository, reader, 0)
            seconds = [await _deliver(client, repository, reader, number) for number in range(1, RUNS + 1)]
    finally:
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.wait)
    return [absolute(NAME, seconds, "s", 30)]


async def _deliver(client: Workflows, repository: FleetRepository, reader: ConfigurationReader, number: int) -> float:
    """Seconds until the reader has every value; returns once the rollout has ended, too."""
    _declare(repository, number)
    commit = repository.push(f"change {number}")
    environment, begun = repository.environment, time.perf_counter()
    await client.deploy(Intake(commit, "bench", "cli", [environment]))
    if number:
        await _until_it_has_all(reader, environment, number)
    seconds = time.perf_counter() - begun
    while True:
        status = await client.environment_status(environment)
        if status.last is not None and status.last.commit == commit and not status.current:
            break
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)
    if status.last.outcome != "delivered":
        raise SystemExit(f"the rollout ended as {status.last.outcome}: {status.last.failure}")
    return seconds


async def _until_it_has_all(reader: ConfigurationReader, environment: str, number: int) -> None:
    keys = [
        ConfigurationKey(namespace=f"shop-{environment}", environment=environment, service=_service(one), key=_key(key))
        for one in range(SERVICES)
        for key in range(KEYS)
    ]
    while True:
        readings = await reader.get_many(keys)
        if all(reading.value == number for reading in readings.values()):
            return
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)


def _declare(repository: FleetRepository, number: int) -> None:
    folder, head = repository.work / "environments" / repository.environment, {"apiVersion": "adx/v1"}
    services = [copy.deepcopy(SERVICE) | {"name": _service(one)} for one in range(SERVICES)]
    values = {_service(one): {_key(key): number for key in range(KEYS)} for one in range(SERVICES)}
    named = {"environment": repository.environment}
    for kind, document in (
        ("services", head | {"kind": "Services"} | named | {"services": services}),
        ("configuration", head | {"kind": "Configuration"} | named | {"values": values}),
    ):
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _service(number: int) -> str:
    return f"service-{number:02}"


def _key(number: int) -> str:
    return f"KEY_{number:03}"
