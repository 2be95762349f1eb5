"""The demo's last chapter: a service changes its release while people use it; a bad one is found and taken back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.demo.cluster import look
from scripts.demo.remote import ENVIRONMENT, Remote
from scripts.demo.telling import DELIVERED, HOME, Story, adx, announce, console
from scripts.traffic.load import Load
from scripts.traffic.pods import PodFacts, Pods
from scripts.traffic.shop_server import Behaviour
from scripts.traffic.shops import ShopServer, start_shop
from workflows.clients.consul import Consul
from workflows.clients.kubernetes import Cluster
from workflows.services.registry.in_consul import ConsulRegistry

SERVICE, NAMESPACE = "frontend", "boutique-development"
GOOD, BAD = "v0.10.7", "v0.10.8-errors"
ERRORS_PERCENT = 10
RATE_PER_SECOND, CONNECTIONS = 120, 16
SAMPLE_SECONDS = 0.5
BLOCKS = " ▁▂▃▄▅▆▇█"
COLUMNS = 48


def tell_releases(story: Story, remote: Remote) -> None:
    """Green beside blue, more and more of the requests, not one of them failed; then one that answers with errors."""
    story.chapter("6. A service changes its release under live traffic")
    adx("up", "--with", "consul", "--with", "caddy", "--with", "prometheus")
    remote.declare_delivery(ENVIRONMENT, SERVICE)
    first = remote.merge(f"{SERVICE}: canary behind the gateway")
    with Traffic() as traffic:
        status = adx("deploy", ENVIRONMENT, "--ref", first, "--watch", "--repo", str(remote.work), quiet=True)
        story.proof(f"{SERVICE} is a release behind the gateway", status == DELIVERED)
        console.print(f"  {RATE_PER_SECOND} requests a second to real processes, one for each pod")
        good = _merge(remote, GOOD, traffic)
        story.proof(f"{GOOD} has taken over", good.status == DELIVERED)
        story.proof(f"{good.requests} requests meanwhile, {good.failed} failed", good.failed == 0)
        before = look(HOME, ENVIRONMENT)
        console.print(f"  now {BAD}, which answers {ERRORS_PERCENT} % of its requests with an error")
        bad = _merge(remote, BAD, traffic)
        now = look(HOME, ENVIRONMENT)
    outcome = now.last.status if now.last is not None else "nothing"
    story.proof(f"{BAD} was found and taken back", outcome == "restored")
    touched = bad.by_version[BAD]
    story.proof(f"{touched} of {bad.requests} requests met it, {bad.failed} failed", 0 < touched < bad.requests / 2)
    story.proof("the cluster is exactly as before", now.digests == before.digests)
    if outcome == "restored":
        remote.merge_branch(f"adx/revert-{ENVIRONMENT}-{bad.commit[:12]}")
        console.print("  its revert is merged: what is declared is what runs")


@dataclass(frozen=True)
class Delivered:
    """What happened while one version was delivered."""

    commit: str
    status: int
    requests: int
    failed: int
    by_version: Counter[str]


def _merge(remote: Remote, version: str, traffic: Traffic) -> Delivered:
    remote.set_version(ENVIRONMENT, SERVICE, version)
    commit = remote.merge(f"{SERVICE} {version}")
    announce(commit)
    with traffic.measured() as samples:
        status = adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))
    for line in strips(samples.by_version, COLUMNS):
        console.print(f"  {line}")
    total: Counter[str] = sum(samples.by_version, Counter())
    return Delivered(commit, status, samples.requests, samples.failed, total)


def strips(samples: list[Counter[str]], columns: int) -> Iterator[str]:
    """A line for each version: its share of the requests over time, from left to right. Pure."""
    width = max(1, -(-len(samples) // columns))
    joined = [sum(samples[at : at + width], Counter[str]()) for at in range(0, len(samples), width)]
    for version in sorted({name for one in joined for name in one}):
        shares = [one[version] / one.total() if one.total() else 0.0 for one in joined]
        yield f"{version:>15} │{''.join(BLOCKS[round(share * (len(BLOCKS) - 1))] for share in shares)}│"


@dataclass
class Samples:
    """Requests answered, every half second, by version; and what became of all of them."""

    by_version: list[Counter[str]] = field(default_factory=list)
    requests: int = 0
    failed: int = 0


class Traffic:
    """Processes for the pods and requests to them, on a thread of their own, while the block runs."""

    def __init__(self) -> None:
        self._settings: dict[str, str] = json.loads((HOME / "env.json").read_text())
        self._versions: dict[str, str] = {}
        self._load = Load(
            f"{self._settings['ADX_GATEWAY_URL']}/{ENVIRONMENT}--{SERVICE}/",
            connections=CONNECTIONS,
            rate_per_second=RATE_PER_SECOND,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self._ending = asyncio.Event()
        self._samples: Samples | None = None

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    @contextlib.contextmanager
    def measured(self) -> Iterator[Samples]:
        """Requests flow while the block runs, and are counted."""
        samples = Samples()
        asyncio.run_coroutine_threadsafe(self._begin(samples), self._loop).result()
        try:
            yield samples
        finally:
            asyncio.run_coroutine_threadsafe(self._end(samples), self._loop).result()

    async def _begin(self, samples: Samples) -> None:
        self._load.result = type(self._load.result)()
        self._load.start()
        self._samples = samples

    async def _end(self, samples: Samples) -> None:
        self._samples = None
        result = await self._load.stop()
        samples.requests, samples.failed = result.requests, result.failed

    async def _run(self) -> None:
        settings = self._settings
        registry = ConsulRegistry(Consul(settings["ADX_CONSUL_URL"]))
        async with await Cluster.connect(settings["KUBECONFIG"], settings["ADX_KUBE_CONTEXT"]) as cluster:
            pods = Pods(cluster, registry, NAMESPACE, ENVIRONMENT, self._start)
            tasks = [asyncio.create_task(pods.keep()), asyncio.create_task(self._sample())]
            await self._ending.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await registry.close()

    async def _sample(self) -> None:
        known: Counter[str] = Counter()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            now = Counter(self._load.result.by_release)
            if self._samples is not None:
                fresh = now - known if known.total() <= now.total() else now
                named = {self._versions[release]: count for release, count in fresh.items() if release}
                self._samples.by_version.append(Counter(named))
            known = now

    def _start(self, facts: PodFacts) -> ShopServer:
        self._versions[facts.release] = facts.version
        errors_percent = ERRORS_PERCENT if facts.version.endswith("-errors") else 0
        return start_shop(facts.release, Behaviour(errors_percent=errors_percent))
