"""What a database says was applied × the scripts → what is to be done, or exactly how the two differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from policies.desired_state import digest_of
from policies.migrations.errors import HistoryDiffers
from policies.migrations.model import Direction, Migration, MigrationPlan, RollbackStep, ScriptSet
from policies.spec import Spec

# Where a schema keeps its record, in itself: versions, the statements of one that is under way, and how far its batches
# are, where it has any.
OWN_TABLES = ("adx_migrations", "adx_migration_steps", "adx_migration_batches")

RecordState = Literal["applied", "applying", "reverting"]


class AppliedMigration(Spec):
    """A version as the database records it. ``applied_at`` is ISO 8601 in UTC; ``duration_ms`` 0 while it runs."""

    version: int
    description: str
    checksum: str
    state: RecordState
    applied_at: str
    duration_ms: int = 0


class SchemaVersion(Spec):
    """What a schema's record says: ``version`` is the newest that is wholly applied, ``unfinished`` one half done."""

    version: int
    applied: tuple[AppliedMigration, ...]
    unfinished: AppliedMigration | None = None


def check_history(scripts: ScriptSet, recorded: SchemaVersion) -> None:
    """Raise HistoryDiffers unless the record is a beginning of the scripts, each as it was applied."""
    differences = tuple(_differences(scripts, recorded))
    if differences:
        raise HistoryDiffers(
            f"the record of {scripts.database} does not go with its scripts:",
            differences,
            next_step="bring the scripts back as they were applied, and change the schema with a new one",
        )


def plan_migration(scripts: ScriptSet, recorded: SchemaVersion, target: int) -> MigrationPlan:
    """What brings the schema to version ``target``, up or down; empty when it is there.

    Raises HistoryDiffers when the record and the scripts disagree, when the
    target is below what is recorded and a script cannot be taken back, or when
    a migration is half done in the other direction.
    """
    if not 0 <= target <= scripts.newest:
        raise HistoryDiffers(
            f"{scripts.database} has no version {target}", (), next_step=f"its newest is {scripts.newest}"
        )
    check_history(scripts, recorded)
    direction: Direction = "up" if target > recorded.version else "down"
    if recorded.unfinished is not None:
        direction = _direction_of(recorded.unfinished, target, scripts)
    if direction == "up":
        chosen = scripts.between(recorded.version, target)
    else:
        chosen = tuple(reversed(scripts.between(target, _top(recorded))))
        _check_reversible(chosen)
    return MigrationPlan(
        id=plan_id(scripts.database, direction, chosen),
        database=scripts.database,
        direction=direction,
        from_version=recorded.version,
        to_version=target,
        migrations=chosen,
        rollback_plan=tuple(_rollback(chosen)) if direction == "up" else (),
    )


def plan_id(database: str, direction: Direction, migrations: Sequence[Migration]) -> str:
    """The same for the same scripts in the same order and direction."""
    return digest_of([database, direction, [(one.version, one.checksum) for one in migrations]])[:32]


def goes_back_from_half(migration: Migration, unfinished: AppliedMigration) -> bool:
    """Whether the down script may take back what was done of an up script that is half done.

    It may where that runs in batches: whole batches of rows are as they should be, the others as they were.
    """
    is_it = (migration.version, "applying") == (unfinished.version, unfinished.state)
    return is_it and bool(migration.up.header.batch) and migration.down is not None


def _differences(scripts: ScriptSet, recorded: SchemaVersion) -> Iterator[str]:
    known = {one.version: one for one in scripts.migrations}
    versions = [one.version for one in recorded.applied]
    for one in recorded.applied:
        script = known.get(one.version)
        name = f"{one.version:04d}_{one.description}"
        if script is None:
            yield f"  {name} was applied at {one.applied_at}, and there is no such script any more"
        elif script.checksum != one.checksum:
            yield (
                f"  {script.up.file} was changed after it was applied at {one.applied_at}:"
                f" recorded {one.checksum[:19]}, now {script.checksum[:19]}"
            )
    for missing in sorted(set(range(1, max(versions, default=0))) - set(versions)):
        name = known[missing].up.file if missing in known else f"version {missing}"
        yield f"  {name} was never applied, although version {max(versions)} was: out of order"


def _direction_of(unfinished: AppliedMigration, target: int, scripts: ScriptSet) -> Direction:
    """The direction that a half-done migration allows: forwards to the end, or, from a step before, back."""
    is_up = unfinished.state == "applying"
    if is_up and target >= unfinished.version:
        return "up"
    if not is_up and target < unfinished.version:
        return "down"
    half = next((one for one in scripts.migrations if one.version == unfinished.version), None)
    if half is not None and goes_back_from_half(half, unfinished):
        return "down"
    wanted = unfinished.version if is_up else unfinished.version - 1
    raise HistoryDiffers(
        f"version {unfinished.version} of {scripts.database} is half done ({unfinished.state})",
        (),
        next_step=f"finish it first: ask for version {wanted}",
    )


def _top(recorded: SchemaVersion) -> int:
    unfinished = recorded.unfinished
    return max(recorded.version, unfinished.version if unfinished is not None else 0)


def _check_reversible(chosen: Sequence[Migration]) -> None:
    stuck = tuple(f"  {one.up.file}: {one.up.header.irreversible}" for one in chosen if one.down is None)
    if stuck:
        raise HistoryDiffers(
            "these scripts are declared irreversible:", stuck, next_step="restore the backup that was taken before"
        )


def _rollback(chosen: Sequence[Migration]) -> Iterator[RollbackStep]:
    for one in reversed(chosen):
        if one.down is not None:
            yield RollbackStep(migration=one.id, how="down_script")
        else:
            yield RollbackStep(migration=one.id, how="restore", reason=one.up.header.irreversible)
