"""A migration and a plan of several, as data.

``checksum`` is ``sha256:<hex>`` of the up script, with line ends as LF: what a
database records when it is applied, and what must never change afterwards.
Times are ISO 8601 in UTC, empty while they are unknown.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from policies.migrations.spec import Engine
from policies.spec import Spec

FOLDER = "infra/databases"
DEFAULT_LOCK_TIMEOUT_MS = 3_000
DEFAULT_STATEMENT_TIMEOUT_MS = 300_000
DEFAULT_BATCH_ROWS = 1_000

Direction = Literal["up", "down"]
Phase = Literal["expand", "backfill", "contract"]
TransactionMode = Literal["auto", "none"]


class Header(Spec):
    """What a script's first comment lines ``-- adx: key=value`` say.

    ``requires``: services must be written for this schema version or a later one before the script may run.
    ``compatible``: services written for this schema version or a later one still work once it has run.
    ``irreversible`` is the reason why there is no down script. A time-out of 0 means none.
    ``batch`` is ``table.column``: the statement runs once for every ``batch_rows`` rows in the order of that key, each
    time in a transaction of its own, with ``pause_ms`` in between; empty: once for all.
    """

    transaction: TransactionMode = "auto"
    lock_timeout_ms: int = DEFAULT_LOCK_TIMEOUT_MS
    statement_timeout_ms: int = DEFAULT_STATEMENT_TIMEOUT_MS
    phase: Phase = "expand"
    requires: int | None = None
    compatible: int | None = None
    tables: tuple[str, ...] = ()
    batch: str = ""
    batch_rows: int = DEFAULT_BATCH_ROWS
    pause_ms: int = 0
    irreversible: str = ""
    created: str = ""


class Statement(Spec):
    """One statement of a script: its text without the semicolon, the line it begins on (from 1), its words.

    ``words`` are the tokens that are no comments: keywords and plain names in upper case, quoted ones as written.
    ``is_alone``: the server refuses to run it inside a transaction.
    """

    text: str
    line: int
    words: tuple[str, ...]
    is_alone: bool = False

    def begins(self, *words: str) -> bool:
        """Whether the statement begins with ``words`` (upper case)."""
        return self.words[: len(words)] == words

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Script(Spec):
    """One direction of a migration, read: ``file`` is its path in the repository."""

    file: str
    text: str
    header: Header
    statements: tuple[Statement, ...]


class Migration(Spec):
    """One version of one database; ``id`` is ``<database>/<NNNN>_<description>``."""

    id: str
    database: str
    engine: Engine
    version: int
    description: str
    up: Script
    down: Script | None
    checksum: str
    created_at: str = ""
    applied_at: str = ""

    @property
    def up_script(self) -> str:
        """The text that brings the version."""
        return self.up.text

    @property
    def down_script(self) -> str | None:
        """The text that takes it back; None when it is declared irreversible."""
        return self.down.text if self.down is not None else None

    def script(self, direction: Direction) -> Script | None:
        """The script of one direction."""
        return self.up if direction == "up" else self.down


class ScriptSet(Spec):
    """All scripts of one database, versions 1 to ``newest`` without a gap."""

    database: str
    engine: Engine
    migrations: tuple[Migration, ...]

    @property
    def newest(self) -> int:
        """The newest version; 0 without scripts."""
        return self.migrations[-1].version if self.migrations else 0

    def between(self, after: int, until: int) -> tuple[Migration, ...]:
        """The migrations of the versions above ``after`` up to ``until``, oldest first."""
        return tuple(one for one in self.migrations if after < one.version <= until)


class RollbackStep(Spec):
    """How one version of a plan is taken back; ``how`` restore: there is no down script, data come from the backup."""

    migration: str
    how: Literal["down_script", "restore"]
    reason: str = ""


class SafetyCheck(Spec):
    """The sum of the findings about one script; the findings themselves are beside the plan."""

    file: str
    blocking: int
    warnings: int


class MigrationPlan(Spec):
    """What brings one database from ``from_version`` to ``to_version``, newest last (newest first when it goes down).

    ``id`` is the same for the same scripts in the same order. ``estimated_duration_seconds`` is None without figures.
    """

    id: str
    database: str
    direction: Direction
    from_version: int
    to_version: int
    migrations: tuple[Migration, ...]
    estimated_duration_seconds: float | None = None
    rollback_plan: tuple[RollbackStep, ...] = ()
    safety_checks: tuple[SafetyCheck, ...] = ()


def checksum_of(data: bytes) -> str:
    """``sha256:<hex>`` of a script, whatever its line ends."""
    return "sha256:" + hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
