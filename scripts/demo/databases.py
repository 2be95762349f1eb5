"""The demo's last chapter: a migration of every tenant's schema, which one of them cannot take."""

from __future__ import annotations

import asyncio
import json

import psycopg
from psycopg import sql

from scripts.demo.cluster import look
from scripts.demo.remote import ENVIRONMENT, Remote
from scripts.demo.telling import HOME, Story, adx, announce, console
from workflows.ledger import Ledger
from workflows.ledger.migrations_targets import DatabaseTargetRow, targets_of

DATABASE, COLUMN = "shop", "gift_note"
UNLUCKY = "harbor-and-pine"
DEPLOYED_ON = "boutique"
UP = f"-- What buyers write on a gift's card.\n-- adx: phase=expand\nALTER TABLE orders ADD COLUMN {COLUMN} text;\n"
DOWN = f"ALTER TABLE orders DROP COLUMN {COLUMN};\n"


def tell_migration(story: Story, remote: Remote) -> None:
    """One schema fails and is what it was; the others have the column; `adx` says which is which."""
    story.chapter("5. A migration of every tenant's schema; one of them was changed by hand")
    before = asyncio.run(_targets())
    version = remote.add_migration(DATABASE, f"add_{COLUMN}", UP, DOWN, ENVIRONMENT)
    adx("migrate", "sum", DATABASE, "--repo", str(remote.work), quiet=True)
    commit = remote.merge(f"Orders carry a {COLUMN}")
    console.print("  what the reviewer of the pull request saw:")
    adx("preview", "--base", "HEAD~1", "--head", "HEAD", "--environment", ENVIRONMENT, "--repo", str(remote.work))
    console.print(f"  somebody has added the column to the schema of {UNLUCKY} by hand, which Git does not know")
    _by_hand(f"ALTER TABLE {{}}.orders ADD COLUMN {COLUMN} text")
    announce(commit)
    adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))
    adx("migrate", "status", ENVIRONMENT)

    now, last = asyncio.run(_targets()), look(HOME, ENVIRONMENT).last
    outcome = last.status if last is not None else "nothing"
    story.proof(f"the ledger says: {commit[:12]} is partly delivered", outcome == "partly-delivered")
    others = {name: row for name, row in now.items() if UNLUCKY not in row.tenants}
    moved = [name for name, row in others.items() if (row.version, row.status) == (version, "applied")]
    story.proof(f"{len(moved)} of {len(others)} other schemas have version {version}", moved == list(others))
    (name,) = now.keys() - others.keys()
    is_known = (now[name].version, now[name].status) == (before[name].version, "restored")
    story.proof(f"that of {UNLUCKY} has version {before[name].version} as before, and the ledger says why", is_known)
    _by_hand(f"ALTER TABLE {{}}.orders DROP COLUMN {COLUMN}")
    code = adx("migrate", "run", ENVIRONMENT, "--tenant", UNLUCKY)
    mended = asyncio.run(_targets())[name]
    story.proof(
        f"mended by hand, `adx migrate run` brings it to version {version}", (code, mended.version) == (0, version)
    )


async def _targets() -> dict[str, DatabaseTargetRow]:
    async with await Ledger.open(_settings()["ADX_LEDGER_URL"]) as ledger:
        return {row.target: row for row in await targets_of(ledger, ENVIRONMENT)}


def _by_hand(statement: str) -> None:
    """What an administrator types."""
    url = _settings()["ADX_DATABASE_LOCAL_URL"]
    schema = sql.Identifier(UNLUCKY.replace("-", "_"))
    with psycopg.connect(url, dbname=DEPLOYED_ON, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(schema))


def _settings() -> dict[str, str]:
    found: dict[str, str] = json.loads((HOME / "env.json").read_text())
    return found
