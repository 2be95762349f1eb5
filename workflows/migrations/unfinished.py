"""A script that was begun and not ended: taken out of a schema's record where nothing of it was done."""

from __future__ import annotations

from policies.migrations.history import AppliedMigration, goes_back_from_half
from policies.migrations.model import Direction, ScriptSet
from workflows.clients.databases import Database, record
from workflows.migrations.errors import NotTakenBack


async def forget_unfinished(database: Database, scripts: ScriptSet, unfinished: AppliedMigration, target: str) -> None:
    """Take out the record of ``unfinished`` if nothing of it was done; ``target`` is for messages.

    What whole batches did is left to the down script, and so is a way back that was begun from there: without it, the
    version would count as wholly applied. Raises NotTakenBack for what is half done and cannot be undone.
    """
    version = unfinished.version
    direction: Direction = "up" if unfinished.state == "applying" else "down"
    session = await database.locked()
    if direction == "down" and await record.steps(session, version, "up"):
        return
    if not await record.did_nothing(session, version, direction):
        if any(goes_back_from_half(one, unfinished) for one in scripts.migrations):
            return
        done = sum(step.is_done for step in (await record.steps(session, version, direction)).values())
        raise NotTakenBack(
            f"version {version} of {target} is half done: {done} statement(s), which cannot be undone",
            next_step="take away what stops it, then run `adx migrate run`: it goes on where it failed",
        )
    async with database.begin_transaction() as transaction:
        await record.forget(transaction, version, direction)
