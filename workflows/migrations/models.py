"""What a proof found, and what delivering migrations takes and gives. Durable: only add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from policies.migrations.catalog import Difference
from policies.spec import Spec
from workflows.fleet.models import FleetState
from workflows.models import StepProgress, Timeouts

Verdict = Literal["proved", "irreversible", "up-failed", "down-failed", "up-again-failed", "not-undone", "not-repeated"]


class MigrationProof(Spec):
    """One migration: up, down, up again. ``differences`` say what the down script leaves, or the second up makes."""

    migration: str
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    error: str = ""
    duration_ms: int = 0


class Proof(Spec):
    """All migrations that were proved, in order; ends with the first that is not."""

    database: str
    server: str
    migrations: tuple[MigrationProof, ...]

    @property
    def is_proved(self) -> bool:
        """Whether every one can be applied, taken back as declared, and applied again."""
        return all(one.verdict in ("proved", "irreversible") for one in self.migrations)


TargetOutcome = Literal["delivered", "restored", "kept", "needs-operator"]


@dataclass(frozen=True)
class MigrationLease:
    """For whom databases are claimed. ``environment_token``: a rollout's, under which it owns the environment."""

    environment: str
    operation_id: str
    environment_token: int | None = None
    rollout_id: str = ""


@dataclass(frozen=True)
class TargetRequest:
    """One step at one database; ``targets`` is the digest of a body ``policies.migrations.targets.Targets``.

    ``undoes`` names the operation that is taken back; ``accepts_loss``: also where rows would be lost, for which
    ``accepted_by`` answers. ``is_witnessed`` is of older histories: the ledger knows it now.
    """

    lease: MigrationLease
    targets: str
    target: str
    undoes: str = ""
    accepts_loss: bool = False
    reason: str = ""
    is_witnessed: bool = False
    accepted_by: str = ""


@dataclass(frozen=True)
class TargetPlanned:
    """What is to be done: the versions that are recorded and asked for, and the scripts in their order."""

    from_version: int
    to_version: int
    migrations: list[str]


@dataclass(frozen=True)
class TargetResult:
    """What became of one database. ``kept``: it was to be taken back, and rows would have been lost."""

    target: str
    outcome: TargetOutcome
    version: int
    why: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a person, or the API, asks for: databases of an environment as they are delivered there.

    ``database`` and ``tenant`` empty: all. ``version`` None: the one that is declared. ``undoes``: take back what
    that operation brought instead (``last``: each database's last one). ``source`` is where it was asked.
    """

    environment: str
    requested_by: str
    database: str = ""
    tenant: str = ""
    version: int | None = None
    undoes: str = ""
    accepts_loss: bool = False
    reason: str = ""
    source: str = "api"


@dataclass(frozen=True)
class Prepared:
    """The databases that are meant, as the digest of a body ``Targets``, and their ids."""

    targets: str
    chosen: list[str]


@dataclass(frozen=True)
class PrepareRequest:
    """Find the databases that are meant."""

    operation_id: str
    wanted: Wanted


@dataclass(frozen=True)
class DatabaseMigrationInput:
    """Migrate the one database that is ``wanted``, guarded; the workflow's id is the operation's."""

    wanted: Wanted
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class DatabaseRestoreInput:
    """Bring one database back to what it was before its operation."""

    about: TargetRequest
    timeouts: Timeouts = Timeouts()


@dataclass
class DatabaseMigrationStatus:
    """One database's migration as a query shows it; ``outcome`` is empty while it runs."""

    operation_id: str
    environment: str
    target: str
    requested_by: str = ""
    outcome: str = ""
    failure: str = ""
    version: int = 0
    steps: list[StepProgress] = field(default_factory=list)


@dataclass(frozen=True)
class BatchRequest:
    """Bring databases of one server to their versions, or with ``is_undo`` back, each guarded for itself.

    ``accepted_by`` answers for rows that are lost, with ``accepts_loss``.
    """

    lease: MigrationLease
    targets: str
    server: str
    chosen: list[str]
    is_undo: bool = False
    accepts_loss: bool = False
    accepted_by: str = ""


@dataclass(frozen=True)
class BatchResult:
    """What became of each, in the order of their ids."""

    results: list[TargetResult]


@dataclass(frozen=True)
class UndoRequest:
    """Take back everything that the operation ``undoes`` brought; ``turn`` tells rounds of a restore apart."""

    lease: MigrationLease
    targets: str
    undoes: str
    turn: str = ""


@dataclass(frozen=True)
class FanOutPlanRequest:
    """Plan the waves of ``targets`` by the rules in ``delivery`` (digests; an empty one: one wave, no budget)."""

    lease: MigrationLease
    targets: str
    delivery: str = ""
    is_needed: bool = True


@dataclass(frozen=True)
class FanOutPlan:
    """The waves before anything is done, and the server of each database."""

    state: FleetState
    servers: dict[str, str]


@dataclass(frozen=True)
class FanOutInput:
    """Migrate many databases.

    A rollout gives ``lease`` and ``targets``; a person gives ``wanted``, and the workflow's id is the operation's.
    ``plan`` and ``kept`` are carried from run to run.
    """

    environment: str
    lease: MigrationLease | None = None
    targets: str = ""
    delivery: str = ""
    is_needed: bool = True
    wanted: Wanted | None = None
    plan: FanOutPlan | None = None
    kept: list[str] = field(default_factory=list)
    timeouts: Timeouts = Timeouts()
    events_per_run: int = 6000


@dataclass(frozen=True)
class FanOutResult:
    """How it ended (``FleetOutcome``, or ``refused``); ``reasons``: of databases that failed or keep a version."""

    outcome: str
    text: str
    reason: str = ""
    reasons: list[str] = field(default_factory=list)


@dataclass
class FanOutStatus:
    """Many databases as a query shows them: ``marks`` of ``state`` has a letter for each unit."""

    operation_id: str
    environment: str
    outcome: str = ""
    text: str = ""
    reason: str = ""
    reasons: list[str] = field(default_factory=list)
    state: FleetState | None = None


@dataclass(frozen=True)
class MigrationStage:
    """One part of a rollout's migrations: ``targets`` is the digest of its body, ``count`` how many databases.

    ``is_needed``: services of the rollout are written for what it brings, so that no database may be left behind.
    """

    targets: str
    count: int
    text: str
    is_needed: bool = True


@dataclass(frozen=True)
class RolloutMigrations:
    """What a rollout does to databases ``before`` its services come, and ``after``; None where there is nothing."""

    before: MigrationStage | None = None
    after: MigrationStage | None = None


@dataclass(frozen=True)
class MigrationsToUndo:
    """What a restore takes back: first what came after the services, then what came before them."""

    lease: MigrationLease
    migrations: RolloutMigrations
    has_after: bool = False
