"""Drives ADX as users do: merges, real worker processes, the workflows' client; looks with the cluster client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.models.core_v1 import ResourceQuotaSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.models.networking_v1 import IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicySpec
from lightkube.resources.admissionregistration_v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from lightkube.resources.core_v1 import Namespace, ResourceQuota
from lightkube.resources.networking_v1 import NetworkPolicy
from temporalio.client import Client

from tests.delivery.shop import Shop
from workflows.client import LiveStatus, Workflows
from workflows.clients.kubernetes import Cluster
from workflows.connection import connect
from workflows.errors import AdxConnectionError
from workflows.fleet.durable import FleetStatus
from workflows.fleet.machine import awaited_wave
from workflows.intake.models import Intake, TakenIn
from workflows.ledger import Ledger
from workflows.models import Timeouts
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import EnvironmentInput, RolloutStatus

# Short, so that a killed worker is noticed within a test.
TIMEOUTS = Timeouts(heartbeat_seconds=5)

# Before the test's own time is over (pytest-timeout), which would show where it waits, but not for what.
STUCK_SECONDS = 200
LOG_LINES_SHOWN = 60
# A rollout that has ended does not come to what is waited for any more; between two of them there is a moment.
IDLE_LOOKS = 100


@dataclass
class Delivery:
    """One test's own delivery. ``environ`` are the settings its workers run with."""

    environment: str
    environ: dict[str, str] = field(repr=False)
    folder: Path
    shop: Shop
    ledger: Ledger
    cluster: Cluster
    client: Client
    workflows: Workflows
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stuck_seconds: float = STUCK_SECONDS  # more where the test has more time of its own

    def start_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """A worker process of its own; its log goes to the test's folder."""
        number = len(self.workers)
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.cli", "worker", "--listen", "127.0.0.1:0"],
                env={**os.environ, **self.environ, **settings},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(process)
        return process

    def logs(self) -> str:
        """What all workers have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("worker-*.log")))

    async def submit(self, commit: str = "", *, force: bool = False) -> TakenIn:
        """Ask for the commit (empty: the branch's head) to be delivered."""
        intake = Intake(commit, "ada@example.com", "cli", [self.environment], force)
        return await self.workflows.deploy(intake)

    async def settled(self) -> RolloutStatus:
        """The last rollout, once nothing runs and nothing waits (a frozen environment's queue apart)."""
        live = await self.until(
            lambda status: (
                status.environment.last is not None
                and not status.environment.current
                and (not status.environment.pending or bool(status.environment.frozen_reason))
            )
        )
        assert live.environment.last is not None
        return live.environment.last

    async def deliver(self, commit: str = "", *, force: bool = False) -> RolloutStatus:
        """Submit and wait for the end."""
        await self.submit(commit, force=force)
        return await self.settled()

    async def until(self, is_reached: Callable[[LiveStatus], bool], *, with_fleet: bool = False) -> LiveStatus:
        """Ask for the status until it is as wanted; where that takes too long, say what there is instead.

        ``with_fleet``: with the waves of the rollout under way.
        """
        status: LiveStatus | None = None
        idle_looks = 0
        try:
            async with asyncio.timeout(self.stuck_seconds):
                while idle_looks < IDLE_LOOKS:
                    # A query that went to a worker which was killed or paused is not answered; the next goes elsewhere.
                    with contextlib.suppress(AdxConnectionError):
                        status = await self.workflows.status(self.environment)
                        if with_fleet and status.environment.current:
                            status.fleet = await self.workflows.fleet_status(status.environment.current)
                        if is_reached(status):
                            return status
                        is_idle = status.environment.last is not None and not status.environment.current
                        idle_looks = idle_looks + 1 if is_idle and not status.environment.pending else 0
                    self._check_workers()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"stuck after {self.stuck_seconds} s at {status}\n{self._last_lines()}") from None
        raise AssertionError(f"nothing runs any more, and it never came to it: {status}\n{self._last_lines()}")

    def _check_workers(self) -> None:
        """A worker may be killed by its test, but none ends by itself."""
        ended = [worker.returncode for worker in self.workers if (worker.poll() or 0) > 0]
        assert not ended, f"a worker ended with {ended}\n{self._last_lines()}"

    def _last_lines(self) -> str:
        return "\n".join(self.logs().splitlines()[-LOG_LINES_SHOWN:])

    async def waiting_for(self, wave: str) -> FleetStatus:
        """The waves of the rollout under way, once this one waits for its approval."""

        def is_reached(live: LiveStatus) -> bool:
            fleet = live.fleet
            return fleet is not None and fleet.state is not None and awaited_wave(fleet.state) == wave

        live = await self.until(is_reached, with_fleet=True)
        assert live.fleet is not None
        return live.fleet

    async def live(self) -> dict[str, str]:
        """Digest of every object that the environment has in the cluster, by its id."""
        by_unit = await self.cluster.live_digests(self.environment)
        return {name: digest for objects in by_unit.values() for name, digest in objects.items()}

    async def limit_deployments(self, *, to: int) -> None:
        """Let the cluster refuse more Deployments than that in the platform's namespace."""
        metadata = ObjectMeta(name="limit", namespace=f"shop-{self.environment}")
        quota = ResourceQuota(metadata=metadata, spec=ResourceQuotaSpec(hard={"count/deployments.apps": str(to)}))
        client = self._client()
        await client.create(quota)
        while not (await client.get(ResourceQuota, "limit", namespace=metadata.namespace)).status.hard:
            await asyncio.sleep(0.1)

    async def remove_namespaces(self, client: AsyncClient | None = None) -> None:
        """Begin to remove what the environment has in the cluster, whose nodes have room for 330 pods of all tests."""
        client = client or self._client()
        labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": self.environment}
        async for namespace in client.list(Namespace, labels=labels):
            await client.delete(Namespace, namespace.metadata.name)

    def client_of_cluster(self) -> AsyncClient:
        """A client that knows nothing of ADX."""
        return self._client()

    @contextlib.asynccontextmanager
    async def refusing_pods(self, namespace: str, *, pods: int) -> AsyncIterator[None]:
        """Let the cluster refuse a tenant's quota of so many pods, and no other change of the tenant."""
        expression = f"string(object.spec.hard['pods']) != '{pods}'"
        probe = ResourceQuota(
            metadata=ObjectMeta(name="probe", namespace=namespace), spec=ResourceQuotaSpec(hard={"pods": str(pods)})
        )
        async with self._refusing(namespace, "", "resourcequotas", expression, probe):
            yield

    @contextlib.asynccontextmanager
    async def refusing_egress(self, namespace: str) -> AsyncIterator[None]:
        """Let the cluster refuse that a tenant reaches an address, and no other change of the tenant."""
        expression = "!has(object.spec.egress) || object.spec.egress.all(e, !has(e.to) || e.to.all(t, !has(t.ipBlock)))"
        block = NetworkPolicyPeer(ipBlock=IPBlock(cidr="203.0.113.0/28"))
        spec = NetworkPolicySpec(podSelector=LabelSelector(), egress=[NetworkPolicyEgressRule(to=[block])])
        probe = NetworkPolicy(metadata=ObjectMeta(name="probe", namespace=namespace), spec=spec)
        async with self._refusing(namespace, "networking.k8s.io", "networkpolicies", expression, probe):
            yield

    @contextlib.asynccontextmanager
    async def _refusing(
        self, namespace: str, group: str, resource: str, expression: str, probe: ResourceQuota | NetworkPolicy
    ) -> AsyncIterator[None]:
        client, name = self._client(), f"refuse-{namespace}"
        rule = {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [resource],
        }
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        said = {"expression": expression, "message": "refused for a test"}
        policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule], **here}, "validations": [said]}
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
        await client.create(ValidatingAdmissionPolicy.from_dict({"metadata": {"name": name}, "spec": policy}))
        await client.create(ValidatingAdmissionPolicyBinding.from_dict({"metadata": {"name": name}, "spec": binding}))
        try:
            await _until_refused(client, probe)
            yield
        finally:
            await client.delete(ValidatingAdmissionPolicyBinding, name)
            await client.delete(ValidatingAdmissionPolicy, name)

    def _client(self) -> AsyncClient:
        config = KubeConfig.from_file(self.environ["KUBECONFIG"]).get(context_name=self.environ["ADX_KUBE_CONTEXT"])
        return AsyncClient(config=config)

    def lock_files(self) -> list[Path]:
        """Locks that Pulumi operations hold on the stack right now."""
        return [path for path in (self.folder / "pulumi").rglob("locks/**/*.json") if path.is_file()]


@contextlib.asynccontextmanager
async def opened(settings: Mapping[str, str], folder: Path, name: str) -> AsyncIterator[Delivery]:
    """A delivery in ``folder`` for an environment called after ``name``; ends its workers and its workflow."""
    environment = f"e{name}"
    shop = Shop(folder, environment)
    (folder / "pulumi").mkdir()
    environ = {
        **settings,
        "ADX_HOME": str(folder / "home"),
        "ADX_REPO": str(shop.remote),
        "ADX_TASK_QUEUE": environment,
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "PULUMI_BACKEND_URL": (folder / "pulumi").as_uri(),
        "ADX_POLL_SECONDS": "0",
    }
    client = await connect(environ)
    async with (
        await Ledger.open(environ["ADX_LEDGER_URL"]) as ledger,
        await Cluster.connect(environ["KUBECONFIG"], environ["ADX_KUBE_CONTEXT"]) as cluster,
    ):
        await ledger.migrate()
        handle = await client.start_workflow(
            EnvironmentWorkflow.run,
            EnvironmentInput(environment, timeouts=TIMEOUTS),
            id=environment_workflow_id(environment),
            task_queue=environment,
        )
        delivery = Delivery(environment, environ, folder, shop, ledger, cluster, client, Workflows(client, environment))
        remover = delivery.client_of_cluster()  # a test may lead its delivery to another cluster
        try:
            yield delivery
        finally:
            _end(delivery.workers)
            await handle.terminate()
            await delivery.remove_namespaces(remover)


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        for number in (signal.SIGCONT, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(number)
    for worker in workers:
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


async def _until_refused(client: AsyncClient, probe: ResourceQuota | NetworkPolicy) -> None:
    """The API server needs a moment to take a policy in."""
    with contextlib.suppress(ApiError):
        while True:
            await client.create(probe)
            await client.delete(type(probe), "probe", namespace=probe.metadata.namespace)
            await asyncio.sleep(0.1)
