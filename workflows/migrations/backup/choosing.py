"""What is at stake × what the server has → the strategy, and why. Pure.

* ``down_script``: every script can be taken back and leaves all rows as they are. Nothing is copied.
* ``table_copy``: scripts can be taken back in shape; the rows of a few tables are copied beside, on the server.
* ``dump``: everything else, into the snapshot store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from policies.spec import Spec
from workflows.clients.databases.interface_types import TableSize
from workflows.migrations.backup.errors import BackupRefused
from workflows.migrations.backup.models import Strategy, Throughput
from workflows.migrations.backup.stakes import Stake

LARGEST_COPY_BYTES = 4 * 1024**3
_OVERHEAD_SECONDS = 2.0


class ServerFacts(Spec):
    """``uncopyable``: why a table cannot be put back from a copy, by table. ``may_copy``: may make schemas."""

    sizes: tuple[TableSize, ...]
    uncopyable: Mapping[str, str]
    may_copy: bool
    triggers: tuple[str, ...] = ()


class Choice(Spec):
    """A strategy and a sentence for people."""

    strategy: Strategy
    reason: str


def choose(stake: Stake, facts: ServerFacts, wanted: Strategy | None = None) -> Choice:
    """The cheapest strategy that loses nothing. Raises BackupRefused when ``wanted`` cannot be it."""
    against_scripts, against_copy = against_scripts_of(stake), _against_copy(stake, facts)
    if wanted is not None:
        against = {"down_script": against_scripts, "table_copy": against_copy, "dump": ""}[wanted]
        if against:
            raise BackupRefused(
                f"{wanted} is no backup of this plan: {against}", next_step="leave the strategy to ADX, or ask for dump"
            )
        return Choice(strategy=wanted, reason="asked for")
    if not against_scripts:
        return Choice(strategy="down_script", reason="every script can be taken back, and none changes or loses a row")
    if not against_copy:
        at_stake = _bytes(facts, stake.tables)
        names = ", ".join(stake.tables)
        return Choice(strategy="table_copy", reason=f"only the rows of {names} are at stake ({_size(at_stake)})")
    return Choice(strategy="dump", reason=against_copy)


def estimates(strategy: Strategy, facts: ServerFacts, stake: Stake, speed: Throughput) -> tuple[float, float]:
    """Seconds of the backup and of a restore with its checks, from sizes."""
    everything = sum(one.bytes for one in facts.sizes if not one.is_part)
    touched = _bytes(facts, {*stake.tables, *stake.named})
    at_stake = _bytes(facts, stake.tables)
    scans = 2 * everything / speed.scan if strategy == "dump" else 2 * touched / speed.scan
    backup = {"down_script": 0.0, "table_copy": at_stake / speed.copy, "dump": everything / speed.dump}[strategy]
    restore = {"down_script": 0.0, "table_copy": at_stake / speed.put_back, "dump": everything / speed.load}[strategy]
    return round(backup + _OVERHEAD_SECONDS, 1), round(restore + scans + _OVERHEAD_SECONDS, 1)


def against_scripts_of(stake: Stake) -> str:
    """Why the scripts of a plan alone do not bring everything back; empty: they do."""
    if stake.unknown:
        return f"nobody can tell what this touches: {stake.unknown}"
    if stake.without_undo:
        return f"{stake.without_undo[0]} cannot be taken back"
    if stake.there_already:
        return stake.there_already
    if stake.tables:
        return f"rows of {', '.join(stake.tables)} are at stake"
    if stake.stepwise:
        return f"{stake.stepwise[0]} can fail between two statements, and then its other script may not undo it"
    return ""


def _against_copy(stake: Stake, facts: ServerFacts) -> str:
    if stake.unknown:
        return f"nobody can tell what this touches: {stake.unknown}"
    if stake.without_undo and not stake.shapeless:
        return f"{stake.without_undo[0]} changes the schema and cannot be taken back"
    if stake.there_already:
        return stake.there_already
    if stake.stepwise:
        return f"{stake.stepwise[0]} can fail between two statements, and then its other script may not undo it"
    if stake.writes_rows and facts.triggers:
        return f"rows are written, and a trigger on {facts.triggers[0]} may write others"
    for table in stake.tables:
        if table in facts.uncopyable:
            return f"{table} cannot be put back from a copy: {facts.uncopyable[table]}"
    if _bytes(facts, stake.tables) > LARGEST_COPY_BYTES:
        return f"more than {_size(LARGEST_COPY_BYTES)} are at stake, too much for a copy on the server"
    return "" if facts.may_copy else "this user may not make a schema beside it"


def _bytes(facts: ServerFacts, tables: Collection[str]) -> int:
    return sum(one.bytes for one in facts.sizes if one.table in tables)


def _size(count_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count_bytes < 1000 or unit == "GB":
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1000
    return ""
