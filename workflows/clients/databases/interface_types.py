"""Plain values that clients of databases take and give."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from policies.migrations.model import Direction
from policies.spec import Spec


class Feature(StrEnum):
    """What a server may be able to do."""

    TRANSACTIONAL_DDL = "transactional_ddl"  # changes of the schema are undone with their transaction
    CONCURRENT_INDEX = "concurrent_index"  # an index can be built while rows are written
    INSTANT_ADD_COLUMN = "instant_add_column"  # a column with a constant default is added without a copy
    ROW_SECURITY = "row_security"
    ADVISORY_LOCKS = "advisory_locks"  # with a session's life


class TableSize(Spec):
    """A table by the server's statistics, which may be out of date; bytes with indexes.

    ``rows`` is None where the server has not counted them. A partitioned table has what its partitions have:
    ``is_part`` are those of one that is in the same schema, not to be counted again in a sum.
    """

    table: str
    rows: int | None
    bytes: int
    is_part: bool = False


class Progress(Spec):
    """How far a step was that runs alone: ``begun`` before this process, and the catalog's digest before it."""

    begun: bool
    catalog_before: str = ""


class BatchesDone(Spec):
    """How far a statement is that runs batch by batch, since it was begun, by whomever.

    ``rows_written`` as the server counts them; ``rows_passed`` are those of the table that the batches covered, and
    ``rows_expected`` how many it has by the server's statistics, None where there are none. Keys are in no message.
    """

    batches: int
    rows_written: int
    rows_passed: int
    rows_expected: int | None = None
    is_last: bool = False

    def __str__(self) -> str:
        """``batch 12, 48,113 rows written, about 25 % of the table``."""
        told = f"batch {self.batches}, {self.rows_written:,} rows written"
        if self.is_last:
            return f"{told}, the last"
        if not self.rows_expected:
            return told
        return f"{told}, about {min(99, 100 * self.rows_passed // self.rows_expected)} % of the table"


class StepDone(Spec):
    """Told after each statement: ``step`` of ``steps``, from 1; ``was_done`` when an earlier run had done it.

    A statement that runs batch by batch is told after each of them, with ``batches``.
    """

    migration: str
    direction: Direction
    step: int
    steps: int
    was_done: bool = False
    batches: BatchesDone | None = None


class Applied(Spec):
    """What ``apply_migration`` did. ``outcome``: done now, done before, or found done after a lost answer."""

    migration: str
    direction: Direction
    outcome: Literal["applied", "already", "found-applied"]
    duration_ms: int = 0
    lock_timeouts: int = 0


Observer = Callable[[StepDone], None]
