"""What others wrote to a database since a version came to it: looked for before that is taken back, and audited.

What stands in what a run brought is written down where its scripts end (``seen``); a loss goes on only when
somebody answers for it, and is in the audit trail before it happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import Database
from workflows.ledger import Ledger, audit
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_claims import TargetClaim
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.migrations import losses
from workflows.migrations.errors import NotTakenBack, RowsWouldBeLost
from workflows.migrations.outcomes import baseline, loss_entry


@dataclass(frozen=True)
class WrittenSince:
    """Looks at one database for one attempt. ``accepted_by``: who answers for what is lost; empty: nobody."""

    ledger: Ledger
    claim: TargetClaim
    target: MigrationTarget
    database: Database
    accepted_by: str = ""

    async def check_way_down(self, plan: MigrationPlan) -> None:
        """Raise RowsWouldBeLost for a plan downwards that would lose what was written, unless that is accepted."""
        if plan.direction == "down" and plan.migrations and not self.accepted_by:
            await self._check(await self._above(plan.to_version), plan.from_version)

    async def tell_way_down(self, plan: MigrationPlan) -> None:
        """Audit what a plan downwards loses, where that is accepted."""
        if plan.direction == "down" and self.accepted_by:
            await self.tell(await self._above(plan.to_version))

    async def check_run(self, run: DatabaseRun, *, is_undo: bool) -> None:
        """Raise RowsWouldBeLost when down scripts would lose what others wrote since ``run``, unless accepted.

        ``is_undo``: the run had ended well. Where it has a backup, its restore looks for itself.
        """
        if run.backup is not None:
            return
        if not is_undo:
            before, now = await self.catalog(run.catalog_before), await self.database.catalog()
            await self._check(await losses.lost(self.database, run.written, before, now), run.to_version)
        elif run.from_version < run.to_version:
            await self._check(await self._above(run.from_version), run.to_version)

    async def tell(self, lost: Sequence[str]) -> None:
        """Audit what is lost, before it is."""
        if lost:
            await audit.append(self.ledger, loss_entry(self.claim, self.target.id, self.accepted_by, lost))

    async def catalog(self, digest: str | None) -> Catalog:
        """A catalog that was recorded. Raises NotTakenBack."""
        body = await rows.catalog_body(self.ledger, digest or "")
        if body is None:
            raise NotTakenBack(f"the ledger does not know what {self.target.id} held before")
        return msgspec.convert(body, Catalog)

    async def _above(self, version: int) -> tuple[str, ...]:
        """What was written since to whatever the versions above ``version`` brought."""
        since = baseline(await rows.delivered_runs(self.ledger, self.target.id), version)
        if since is None:
            return (losses.UNKNOWN,)
        known, digest = since
        return await losses.lost(self.database, known, await self.catalog(digest), await self.database.catalog())

    async def _check(self, lost: Sequence[str], version: int) -> None:
        if self.accepted_by:
            await self.tell(lost)
        elif lost:
            raise RowsWouldBeLost(
                f"{self.target.id} keeps version {version}: going back would lose what was written since"
                f" ({losses.named(lost)})",
                next_step="keep it, or take it back with `adx migrate rollback --lose-data`",
            )
