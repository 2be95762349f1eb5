"""What activities work with: one of each client, opened once per worker process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.engine import Engine, EngineSettings
from policies.git_mirror import Mirror
from workflows.bodies import Bodies
from workflows.clients.git import Repository
from workflows.clients.hosting import Hosting, open_hosting
from workflows.clients.kubernetes import Cluster
from workflows.ledger import Ledger
from workflows.snapshots import SnapshotStore, open_store
from workflows.step_runner import StepRunner


@dataclass(frozen=True)
class Runtime:
    """The clients of one worker. Stateless apart from their connections."""

    ledger: Ledger
    store: SnapshotStore
    cluster: Cluster
    repository: Repository
    engine_settings: EngineSettings
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def bodies(self) -> Bodies:
        """Typed bodies in the snapshot store."""
        return Bodies(self.store)

    @property
    def steps(self) -> StepRunner:
        """Recorded, heartbeating steps."""
        return StepRunner(self.ledger)

    def engine(self, environment: str) -> Engine:
        """The engine on the stack of ``environment``."""
        return Engine(self.engine_settings, environment)

    def hosting(self) -> Hosting:
        """The git hosting; raises AdxError naming the setting that is missing."""
        return open_hosting(self.environ)


@contextlib.asynccontextmanager
async def open_runtime(environ: Mapping[str, str]) -> AsyncIterator[Runtime]:
    """Open every client that ``environ`` (the ``ADX_*`` settings) names, and close them at the end.

    Brings the ledger's tables up to date. Raises AdxError naming what is missing or away.
    """
    settings = EngineSettings.from_environment(environ)
    store = open_store(environ)
    mirror = Mirror.open(environ["ADX_REPO"], Path(environ["ADX_HOME"]) / "mirror", environ.get("ADX_BRANCH", "main"))
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(await Ledger.open(environ["ADX_LEDGER_URL"]))
        await ledger.migrate()
        cluster = await Cluster.connect(str(settings.kubeconfig), settings.kube_context)
        stack.push_async_callback(cluster.close)
        yield Runtime(ledger, store, cluster, Repository(mirror), settings, environ)
