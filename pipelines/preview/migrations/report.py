"""What a report tells of database migrations. Pure data, masked like the rest of the report.

Sizes are the server's statistics, which may be out of date; seconds are estimates.
"""

from __future__ import annotations

from typing import Literal

from policies.errors import Problem
from policies.migrations.model import Direction
from policies.migrations.safety.findings import SafetyFinding
from policies.migrations.spec import Engine
from policies.spec import Spec

When = Literal["", "before the services", "after the services"]
Strategy = Literal["down_script", "table_copy", "dump"]  # as of ``workflows.migrations.backup``, which costs to import


class ScriptRow(Spec):
    """One script that would run. ``when`` is its place in a rollout, empty where no rollout runs it.

    ``batch`` is ``1,000 by orders.id`` where the statement runs once for so many rows.
    ``is_pending``: it was merged before this pull request as it is, and is not delivered yet.
    """

    file: str
    version: int
    phase: str
    statements: int
    when: When = ""
    batch: str = ""
    is_pending: bool = False


class TableRows(Spec):
    """A table that a finding is about: ``rows`` and ``bytes`` where it is largest, ``all_rows`` in ``databases``.

    None where the server has no statistics.
    """

    table: str
    rows: int | None
    bytes: int | None
    all_rows: int | None
    databases: int


class DataLoss(Spec):
    """What cannot be had back by running scripts: at ``line`` of ``file`` (0: the script as a whole)."""

    file: str
    line: int
    what: str
    kind: Literal["loses-data", "no-way-back"]
    is_pending: bool = False


class BackupOutline(Spec):
    """How a rollout would keep what is at stake, and why.

    ``database`` is the largest, for which the figures are; empty where none was asked: then figures are None.
    """

    strategy: Strategy
    reason: str
    database: str = ""
    rows: int | None = None
    bytes: int | None = None
    backup_seconds: float | None = None
    restore_seconds: float | None = None


class PastRuns(Spec):
    """What the ledger says of the same way before: in which environments, how many, the median and the longest."""

    environments: tuple[str, ...]
    runs: int
    median_seconds: float
    longest_seconds: float


class DurationOutline(Spec):
    """``seconds`` for the largest database, ``all_seconds`` for all, so many side by side; None: not known."""

    seconds: float | None = None
    all_seconds: float | None = None
    at_once: int = 1
    past: PastRuns | None = None


class MigrationOutline(Spec):
    """The same way of the same scripts in one environment: all databases that go it.

    ``servers`` are names of migrations.yaml; without one nobody applies it. ``is_new``: the databases were never
    delivered to. ``asked`` is how many told their sizes, ``rows_unknown`` says why others did not.
    """

    database: str
    engine: Engine
    direction: Direction
    from_version: int
    to_version: int
    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tenants: int = 0
    is_new: bool = False
    scripts: tuple[ScriptRow, ...] = ()
    findings: tuple[SafetyFinding, ...] = ()
    tables: tuple[TableRows, ...] = ()
    asked: int = 0
    rows_unknown: tuple[str, ...] = ()
    losses: tuple[DataLoss, ...] = ()
    backup: BackupOutline | None = None
    duration: DurationOutline = DurationOutline()

    @property
    def blocking(self) -> tuple[SafetyFinding, ...]:
        """The findings that forbid the merge."""
        return tuple(one for one in self.findings if one.is_blocking)

    @property
    def is_applied(self) -> bool:
        """Whether a rollout brings it to any database."""
        return bool(self.targets)


class FoundMigrations(Spec):
    """What was found out about one environment.

    ``problems`` forbid the change, ``unchecked`` is what could not be judged.
    """

    outlines: tuple[MigrationOutline, ...] = ()
    problems: tuple[Problem, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
