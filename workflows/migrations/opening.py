"""How activities open a database to migrate it. Run by activities alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from policies.migrations.model import ScriptSet
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import LockPatience, open_database
from workflows.ledger.migrations_claims import TargetClaim
from workflows.migrations.finding import Scripts, is_cancel_wanted
from workflows.migrations.places import ServerPlaces
from workflows.migrations.protection import Protection
from workflows.migrations.servers import Server
from workflows.migrations.target import TargetMigration
from workflows.runtime import Runtime


class DatabaseActivities:
    """What activities at databases have in common. Without ``protection`` nothing can be backed up."""

    def __init__(
        self,
        runtime: Runtime,
        protection: Protection | None = None,
        patience: LockPatience | None = None,
        places: ServerPlaces | None = None,
    ) -> None:
        self._runtime = runtime
        self._places = places or ServerPlaces()
        self._scripts = Scripts(runtime)
        self._protection = protection or Protection()
        self._patience = patience or LockPatience()

    @contextlib.asynccontextmanager
    async def _opened(
        self,
        server: Server,
        target: MigrationTarget,
        scripts: ScriptSet,
        claim: TargetClaim,
        *,
        tell: Callable[[str], None],
        accepted_by: str,
    ) -> AsyncIterator[TargetMigration]:
        """The database of ``target`` at ``server``, for whoever holds ``claim`` and a place at the server."""
        async with open_database(server.of(target), self._patience) as database:
            yield TargetMigration(
                ledger=self._runtime.ledger,
                claim=claim,
                target=target,
                scripts=scripts,
                database=database,
                protection=self._protection,
                tell=tell,
                is_cancel_wanted=is_cancel_wanted,
                accepted_by=accepted_by,
            )
