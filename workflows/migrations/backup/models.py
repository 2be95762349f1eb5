"""Backups as data: what is planned, made and restored. Durable: only add fields, with defaults.

Sizes are bytes by the server's statistics, times ISO 8601 in UTC, durations
seconds. Scripts, catalogs and checksums are in the manifest, which is a body of
the snapshot store; a ``BackupRecord`` only names it, so histories stay small.
"""

from __future__ import annotations

from typing import Literal

from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from policies.migrations.spec import Engine
from policies.spec import Spec

Strategy = Literal["down_script", "table_copy", "dump"]
Outcome = Literal["restored", "refused", "not-verified"]


class Throughput(Spec):
    """Bytes a second of each kind of work. The defaults are cautious figures for one core and a local disk."""

    dump: float = 60e6
    load: float = 40e6
    copy: float = 100e6
    put_back: float = 40e6
    scan: float = 300e6


class BackupPlan(Spec):
    """How what ``plan`` touches is kept. ``tables`` are those at stake; empty for a dump of the whole schema.

    ``touched`` are tables whose rows the plan itself may change, ``touches_all`` when that cannot be told.
    ``named`` are all tables that its statements name; ``undo_writes``: taking it back writes rows itself.
    """

    backup_id: str
    target: str
    owner: str
    engine: Engine
    strategy: Strategy
    reason: str
    plan: MigrationPlan
    tables: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    touches_all: bool = False
    named: tuple[str, ...] = ()
    undo_writes: bool = False
    rows: int = 0
    bytes: int = 0
    estimated_backup_seconds: float = 0.0
    estimated_restore_seconds: float = 0.0
    tenant: str = ""


class TableMark(Spec):
    """The rows of one table: how many, and order-independent checksums.

    ``kept`` is over the columns that the backup knows, ``added`` over those that came since (empty without any).
    ``writes`` is the server's own count of written rows (a hint; -1 where it keeps none).
    A table that was not read, because nothing touches it, has -1 rows.
    """

    table: str
    rows: int
    kept: str
    added: str = ""
    columns: tuple[str, ...] = ()
    writes: int = -1


class Point(Spec):
    """All tables of a schema at one moment."""

    taken_at: str
    tables: tuple[TableMark, ...]

    def table(self, name: str) -> TableMark | None:
        """The mark of one table."""
        return next((one for one in self.tables if one.table == name), None)


class SequenceMark(Spec):
    """Where a sequence or a counter of a table stands."""

    name: str
    value: int
    is_called: bool = True


class RecordRows(Spec):
    """The rows of ``adx_migrations``, ``adx_migration_steps`` and ``adx_migration_batches`` as they are."""

    migrations: tuple[tuple[int, str, str, str, str, int], ...] = ()
    steps: tuple[tuple[int, str, int, str, str, str], ...] = ()
    batches: tuple[tuple[int, str, str, str | None, str | None, int, int, int], ...] = ()


class Manifest(Spec):
    """Everything that a restore needs, written last: without it there is no backup."""

    plan: BackupPlan
    taken_at: str
    catalog: Catalog
    point: Point
    record: RecordRows
    chunks: tuple[str, ...] = ()
    dump_bytes: int = 0
    dump_sha256: str = ""
    side: str = ""
    sequences: tuple[SequenceMark, ...] = ()


class BackupRecord(Spec):
    """A whole backup: ``manifest`` is its digest in the snapshot store under ``owner``."""

    backup_id: str
    owner: str
    manifest: str
    target: str
    strategy: Strategy
    reason: str
    taken_at: str
    tables: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    dump_bytes: int = 0
    duration_seconds: float = 0.0
    estimated_restore_seconds: float = 0.0


class BackupMark(Spec):
    """The state at the end of a migration: ``digest`` names a ``MarkBody`` in the snapshot store."""

    backup_id: str
    owner: str
    digest: str
    taken_at: str


class MarkBody(Spec):
    """What a ``BackupMark`` names."""

    backup_id: str
    point: Point


class Loss(Spec):
    """Rows of one table that a restore would lose: ``rows`` is about how many, ``what`` says why they count."""

    table: str
    rows: int
    what: str


class RestoreReport(Spec):
    """What a restore did. Only ``restored`` means that catalog, row counts and checksums are those of the backup.

    refused: nothing was changed, ``losses`` says why. not-verified: ``differences`` says what differs.
    """

    backup_id: str
    strategy: Strategy
    outcome: Outcome
    losses: tuple[Loss, ...] = ()
    differences: tuple[str, ...] = ()
    approved_by: str = ""
    was_restored_before: bool = False
    bytes: int = 0
    duration_seconds: float = 0.0
