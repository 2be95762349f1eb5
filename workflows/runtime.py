"""What activities work with: one of each client, opened once per worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.engine import Engine, EngineSettings
from policies.git_mirror import Mirror
from workflows.bodies import Bodies
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
    mirror: Mirror
    engine_settings: EngineSettings

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


async def open_runtime(environ: Mapping[str, str]) -> Runtime:
    """Open every client that ``environ`` (the ``ADX_*`` settings) names. Raises AdxError naming what is missing."""
    raise NotImplementedError
