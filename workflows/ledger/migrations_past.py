"""How long databases took on the same way before, in whichever environment: what an estimate can lean on."""

from __future__ import annotations

from sqlalchemy import extract, select

from workflows.ledger.connection import Ledger
from workflows.ledger.migrations_tables import database_runs, database_targets

MOST = 1_000


async def past_runs(ledger: Ledger, scripts: str, versions: tuple[int, int]) -> tuple[tuple[str, float], ...]:
    """Environment and seconds (backup, scripts and checks) of the newest runs of ``scripts`` from and to ``versions``.

    Only runs that ended with their version.
    """
    run, target = database_runs.c, database_targets.c
    seconds = extract("epoch", run.finished_at - run.started_at)
    chosen = (
        select(run.environment, seconds)
        .join(database_targets, target.target == run.target)
        .where(target.scripts == scripts, run.from_version == versions[0], run.to_version == versions[1])
        .where(run.status == "delivered", run.finished_at.is_not(None))
        .order_by(run.started_at.desc())
        .limit(MOST)
    )
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).all()
    return tuple((str(environment), float(found)) for environment, found in rows)
