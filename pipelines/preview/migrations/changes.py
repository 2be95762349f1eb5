"""Which databases a merge would bring to which versions, by which scripts, and what forbids it. Pure.

The way begins at what is delivered; where that is not known, at what the base declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.declarations import Declarations
from policies.desired_state import DesiredState, PlatformInputs, TenantInputs, Unit
from policies.errors import Problem
from policies.findings import environment_file
from policies.migrations.errors import HistoryDiffers
from policies.migrations.history import SchemaVersion, check_history, plan_migration
from policies.migrations.model import FOLDER, MigrationPlan, ScriptSet
from policies.migrations.phases import SchemaOrderRefused, version_before_services
from policies.migrations.spec import DatabaseTarget, DatabaseVersion
from policies.migrations.targets import MigrationTarget, changed_targets, written_for

RULE = "migrations.history"
ORDER_RULE = "migrations.order"
_AS_DECLARED = " at (declared)"  # what a record that is only declared says instead of a time
Scripts = Mapping[str, ScriptSet]
States = tuple[DesiredState | None, DesiredState]


@dataclass(frozen=True)
class SchemaChange:
    """One way of one database's scripts; ``targets`` go it: none without a server that is named, or without tenants.

    ``proposed`` are the files of the scripts to run that the pull request brings or changes: others were merged
    before. ``before_services`` is the version at which the services come; None where no rollout applies it.
    """

    environment: str
    scripts: ScriptSet
    plan: MigrationPlan
    targets: tuple[MigrationTarget, ...] = ()
    proposed: frozenset[str] = frozenset()
    before_services: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether no version was ever delivered to these databases."""
        return bool(self.targets) and all(one.is_new for one in self.targets)

    @property
    def asked(self) -> tuple[MigrationTarget, ...]:
        """The databases that hold something."""
        return tuple(one for one in self.targets if not one.is_new)


@dataclass(frozen=True)
class Sides:
    """The declarations of both sides; ``known`` are the scripts as they were delivered, by database."""

    before: Declarations | None
    after: Declarations
    known: Scripts


def is_touched(start: DesiredState | None, after: DesiredState) -> bool:
    """Whether a database of ``after`` is new, or gets another version or place. Reads only units that differ."""
    known = start.by_id() if start is not None else {}
    return any(
        _place(unit) not in (None, _place(old))
        for unit in after.units
        if (old := known.get(unit.id)) is None or old.digest != unit.digest
    )


def edited_scripts(environment: str, before: Declarations | None, after: Declarations) -> tuple[str, ...]:
    """The files of scripts up to the version that the base declares, and that are no more what they are there."""
    if before is None or before.databases == after.databases:
        return ()
    return tuple(
        one.up.file
        for target in _declared(before, environment)
        for one in before.databases[target.name].between(0, target.version)
        if _checksum(after.databases, target.name, one.version) != one.checksum
    )


def schema_changes(
    environment: str, start: DesiredState | None, after: DesiredState, sides: Sides
) -> tuple[list[SchemaChange], list[Problem]]:
    """Every way, databases that hold something first; and what speaks against going it."""
    found, problems = list[SchemaChange](), list(_edits(environment, start, sides))
    for database, versions, targets in _ways(environment, start, after, sides):
        scripts = _joined(sides, database)
        known = sides.known.get(database, scripts)
        plan, wrong = _planned(scripts, _as_declared(known, versions[0]), versions[1])
        middle = None
        if targets and not wrong:
            middle, wrong = _order(environment, scripts, versions, (start, after))
        problems += wrong
        if plan is not None and plan.migrations:
            proposed = frozenset(_proposed(environment, plan, sides))
            found.append(SchemaChange(environment, scripts, plan, targets, proposed, middle))
    return sorted(found, key=lambda one: one.is_new), list(dict.fromkeys(problems))


def from_recorded(
    way: SchemaChange, recorded: SchemaVersion, states: States, sides: Sides
) -> tuple[SchemaChange | None, list[Problem]]:
    """``way`` for databases that look new and have a version; without targets. None: there is nothing to run."""
    plan, wrong = _planned(way.scripts, recorded, way.plan.to_version)
    if plan is None or not plan.migrations:
        return None, wrong
    versions = (plan.from_version, plan.to_version)
    middle, problems = _order(way.environment, way.scripts, versions, states)
    proposed = frozenset(_proposed(way.environment, plan, sides))
    return SchemaChange(way.environment, way.scripts, plan, (), proposed, middle), wrong + problems


def history_problems(scripts: ScriptSet, recorded: SchemaVersion) -> list[Problem]:
    """How scripts differ from what was delivered, each difference at its script."""
    try:
        check_history(scripts, recorded)
    except HistoryDiffers as error:
        return [
            _problem(scripts, text.strip().replace(_AS_DECLARED, ""), error.next_step) for text in error.differences
        ]
    return []


def _place(unit: Unit | None) -> object:
    """What decides which database a unit has, at which version; None without one."""
    if unit is None:
        return None
    if isinstance(unit.inputs, TenantInputs):
        tenant = unit.inputs
        return (tenant.database, tenant.migrations) if tenant.migrations is not None else None
    return _versions(unit) or None


def _ways(
    environment: str, start: DesiredState | None, after: DesiredState, sides: Sides
) -> Iterator[tuple[str, tuple[int, int], tuple[MigrationTarget, ...]]]:
    """Database, from and to, and who goes there."""
    groups: dict[tuple[str, int, int, bool], list[MigrationTarget]] = {}
    for one in changed_targets(start, after):
        groups.setdefault((one.scripts, one.from_version, one.to_version, one.is_new), []).append(one)
    for (database, first, last, _), targets in sorted(groups.items()):
        yield database, (first, last), tuple(targets)
    seen = {database for database, *_ in groups}
    for target in _declared(sides.after, environment):
        declared = _version(sides.before, environment, target.name)
        first = min(_versions_in(start, target.name), default=declared)
        if target.name not in seen and first != target.version:
            yield target.name, (first, target.version), ()


def _edits(environment: str, start: DesiredState | None, sides: Sides) -> Iterator[Problem]:
    """Edited scripts that some database has, wherever the others are."""
    edited = edited_scripts(environment, sides.before, sides.after)
    for database in dict.fromkeys(file.split("/")[2] for file in edited):
        known = sides.known.get(database)
        declared = _version(sides.before, environment, database)
        newest = max(_versions_in(start, database), default=declared)
        if known is not None:
            yield from history_problems(_joined(sides, database), _as_declared(known, newest))


def _planned(scripts: ScriptSet, recorded: SchemaVersion, target: int) -> tuple[MigrationPlan | None, list[Problem]]:
    problems = history_problems(scripts, recorded)
    if problems:
        return None, problems
    try:
        return plan_migration(scripts, recorded, target), []
    except HistoryDiffers as error:
        return None, [_problem(scripts, " ".join(str(error).split()), error.next_step)]


def _order(
    environment: str,
    scripts: ScriptSet,
    versions: tuple[int, int],
    states: States,
) -> tuple[int | None, list[Problem]]:
    running, coming = (written_for(state, scripts.database) for state in states)
    try:
        return version_before_services(scripts, versions, running, coming), []
    except SchemaOrderRefused as error:
        file = environment_file(environment, "migrations")
        return None, [
            _at(file, f"services and schema would not fit, a rollout refuses it: {error}", error.next_step, ORDER_RULE)
        ]


def _proposed(environment: str, plan: MigrationPlan, sides: Sides) -> Iterator[str]:
    """Files of scripts that run because of this pull request, not of one that was merged before."""
    declared = _version(sides.before, environment, plan.database) if sides.before is not None else 0
    known = sides.before.databases if sides.before is not None else {}
    for one in plan.migrations:
        script = one.script(plan.direction)
        is_same = _checksum(known, plan.database, one.version) == one.checksum
        is_merged = one.version <= declared and is_same if plan.direction == "up" else one.version > declared
        if script is not None and (sides.before is None or not is_merged):
            yield script.file


def _joined(sides: Sides, database: str) -> ScriptSet:
    """The scripts after the merge, and later versions that only what is delivered has: what is taken back is there."""
    from workflows.migrations.finding import joined  # noqa: PLC0415 - most pull requests touch no database

    sets = (sides.after.databases.get(database), sides.known.get(database))
    return joined([one for one in sets if one is not None])


def _as_declared(known: ScriptSet, version: int) -> SchemaVersion:
    from workflows.migrations.planning import as_declared  # noqa: PLC0415 - see above

    return as_declared(known, version)


def _versions_in(state: DesiredState | None, database: str) -> list[int]:
    """The versions that units of ``state`` have of it."""
    units = state.units if state is not None else ()
    return [one.version for unit in units for one in _versions(unit) if one.database == database]


def _versions(unit: Unit) -> tuple[DatabaseVersion, ...]:
    if isinstance(unit.inputs, TenantInputs):
        return (unit.inputs.migrations,) if unit.inputs.migrations is not None else ()
    return unit.inputs.migrations if isinstance(unit.inputs, PlatformInputs) else ()


def _version(declarations: Declarations | None, environment: str, database: str) -> int:
    """The version that is declared; 0 where none is."""
    targets = _declared(declarations, environment) if declarations is not None else ()
    return next((one.version for one in targets if one.name == database), 0)


def _declared(declarations: Declarations, environment: str) -> tuple[DatabaseTarget, ...]:
    declared = declarations.environments.get(environment)
    return declared.migrations.databases if declared is not None and declared.migrations is not None else ()


def _checksum(databases: Scripts, database: str, version: int) -> str:
    """Of a version's script; empty where there is none."""
    scripts = databases.get(database)
    found = scripts.between(version - 1, version) if scripts is not None else ()
    return found[0].checksum if found else ""


def _problem(scripts: ScriptSet, text: str, fix: str) -> Problem:
    named = (one.up.file for one in scripts.migrations if text.startswith(one.up.file))
    file = next(named, f"{FOLDER}/{scripts.database}")
    return _at(file, text, fix, RULE)


def _at(file: str, what: str, fix: str, rule: str) -> Problem:
    return Problem(file=file, line=0, column=0, path="", what=what, fix=fix, rule=rule)
