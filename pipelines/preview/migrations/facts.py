"""What databases and the ledger say about changes of schemas: read, never written. Loaded only where one is touched.

What cannot be asked is told in the outline, and is no reason to fail: scripts can be judged without it, and then more
strictly. What speaks against the change is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import msgspec

from pipelines.preview.changes import PullRequestChange
from pipelines.preview.migrations.changes import SchemaChange, Sides, history_problems, schema_changes
from pipelines.preview.migrations.outline import Asked, largest_target, outline, worst
from pipelines.preview.migrations.report import BackupOutline, FoundMigrations
from pipelines.preview.migrations.returning import ASK_SECONDS, MOST_ASKED, with_returned
from policies.desired_state import DesiredState
from policies.errors import AdxError, DeclarationError, Problem
from policies.git_errors import CommitMissing
from policies.git_tree import GitTree, changed_paths
from policies.listing import first_of
from policies.loader import read_databases
from policies.migrations.history import SchemaVersion
from policies.migrations.model import ScriptSet
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver, Statistics
from policies.migrations.targets import MigrationTarget
from policies.migrations.waivers import FILE, load_waivers
from policies.tree_layout import layout_of
from workflows.clients.databases import open_database
from workflows.migrations.backup import BackupPlan, plan_backup
from workflows.migrations.backup.choosing import ServerFacts, choose
from workflows.migrations.backup.stakes import at_stake
from workflows.migrations.checking import check_plan
from workflows.migrations.planning import statistics
from workflows.migrations.servers import AT_ONCE, Server, is_known, server_of, setting_of

MOST_NAMED = 5


@dataclass(frozen=True)
class Question:
    """One environment of a pull request.

    ``start`` is what is delivered, or declared by the base where that is not known. ``environ`` holds the addresses
    of servers and of the ledger; empty: nobody is asked. ``today`` decides whether a waiver still holds.
    """

    change: PullRequestChange
    environment: str
    start: DesiredState | None
    after: DesiredState
    environ: Mapping[str, str]
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


@dataclass
class _Answers:
    """What the databases of one change said, as far as they did."""

    statistics: dict[str, Statistics] = field(default_factory=dict)
    recorded: dict[str, SchemaVersion] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


async def found_migrations(question: Question) -> FoundMigrations:
    """Everything about the databases of one environment; errors are part of it."""
    change = question.change
    try:
        waivers = await asyncio.to_thread(load_waivers, change.repository, change.base or change.head)
        known = await asyncio.to_thread(_delivered_scripts, question)
        sides = Sides(change.before, change.after, known)
        ways, problems = schema_changes(question.environment, question.start, question.after, sides)
        told, unchecked, notes = [], list[str](), await asyncio.to_thread(_edited_waivers, change)
        found = await with_returned(ways, question.environ, (question.start, question.after), sides)
        problems += found.problems
        notes += found.notes
        for way in found.ways:
            asked, against, noted = await _asked(way, question.environ)
            problems += against
            notes += noted
            findings, why = await _judged(way, asked, waivers, question.today)
            unchecked += why
            told.append(outline(way, asked, findings, await _past(way, question.environ, notes)))
    except AdxError as error:
        return FoundMigrations(unchecked=(f"migrations: {_told(error)}",))
    return FoundMigrations(
        outlines=tuple(told),
        problems=tuple(dict.fromkeys(problems)),
        unchecked=tuple(unchecked),
        notes=tuple(dict.fromkeys(notes)),
    )


async def _judged(
    way: SchemaChange, asked: Asked, waivers: Sequence[ScriptWaiver], today: date
) -> tuple[tuple[SafetyFinding, ...] | None, list[str]]:
    """What the safety checks find; None, and why, where they cannot say.

    Scripts that were merged before are looked at for how long they take; in a new database none takes time.
    """
    if way.is_new and not way.proposed:
        return (), []
    try:
        return await asyncio.to_thread(
            check_plan, way.scripts, way.plan, worst(way, asked), waivers, environment=way.environment, today=today
        ), []
    except AdxError as error:
        return None, [f"migrations of {way.plan.database}: {_told(error)}"]


async def _asked(way: SchemaChange, environ: Mapping[str, str]) -> tuple[Asked, list[Problem], list[str]]:
    """What the databases of ``way`` say, how they differ from the scripts, and what to know beside."""
    answers, at_once = _Answers(), 0
    for name in sorted({one.server for one in way.asked}):
        targets = [one for one in way.asked if one.server == name]
        try:
            server = _server(environ, name, way)
            at_once += server.at_once
            await _ask_server(server, targets, answers)
        except AdxError as error:
            answers.unknown.append(_told(error))
    asked = Asked(answers.statistics, tuple(answers.unknown), at_once or AT_ONCE)
    backup = await _backup(way, asked, environ)
    return replace(asked, backup=backup), _refused(way, answers.recorded), _differing(way, answers.recorded)


def _server(environ: Mapping[str, str], name: str, way: SchemaChange) -> Server:
    if not is_known(environ, name):
        raise AdxError(
            f"the server {name} has no address here", next_step=f"set {setting_of(name)} for the preview to read sizes"
        )
    return server_of(environ, name, way.scripts.engine)


async def _ask_server(server: Server, targets: Sequence[MigrationTarget], answers: _Answers) -> None:
    """All of them, once the server itself has answered: each may be missing by itself. Raises what the server does."""
    chosen, places = targets[:MOST_ASKED], asyncio.Semaphore(server.at_once)
    if len(targets) > MOST_ASKED:
        answers.unknown.append(f"only {MOST_ASKED} of {len(targets):,} databases on {server.name} were asked")

    async def ask(target: MigrationTarget) -> None:
        try:
            async with places:
                await _ask(server, target, answers)
        except AdxError as error:
            answers.unknown.append(f"{target.id}: {_told(error)}")

    try:
        async with asyncio.timeout(ASK_SECONDS):
            async with open_database(server.address) as database:
                await database.server_version()
            await asyncio.gather(*map(ask, chosen))
    except TimeoutError:
        answers.unknown.append(f"databases on {server.name} did not answer within {ASK_SECONDS} s")


async def _ask(server: Server, target: MigrationTarget, answers: _Answers) -> None:
    async with open_database(server.of(target)) as database:
        recorded = await database.get_schema_version()
        answers.statistics[target.id] = await statistics(database)
    answers.recorded[target.id] = recorded


async def _backup(way: SchemaChange, asked: Asked, environ: Mapping[str, str]) -> BackupOutline | None:
    """The strategy for the database in which most is at stake; by the scripts alone where none can be asked."""
    stake = at_stake(way.plan, way.scripts.engine)
    name = largest_target(asked, (*stake.tables, *stake.named))
    target = next((one for one in way.asked if one.id == name), None)
    if target is None:
        return None if way.is_new else _by_scripts(way)
    tenant = target.tenants[0] if len(target.tenants) == 1 else ""
    try:
        async with open_database(server_of(environ, target.server, target.engine).of(target)) as database:
            async with asyncio.timeout(ASK_SECONDS):
                return _planned(target.id, await plan_backup(database, way.plan, tenant=tenant))
    except AdxError as error:
        return _by_scripts(way, _told(error))
    except TimeoutError:
        return _by_scripts(way, f"{target.id} did not answer within {ASK_SECONDS} s")


def _planned(target: str, plan: BackupPlan) -> BackupOutline:
    return BackupOutline(
        strategy=plan.strategy,
        reason=plan.reason,
        database=target,
        rows=plan.rows,
        bytes=plan.bytes,
        backup_seconds=plan.estimated_backup_seconds,
        restore_seconds=plan.estimated_restore_seconds,
    )


def _by_scripts(way: SchemaChange, why: str = "") -> BackupOutline:
    """What the words of the scripts say; a server could still rule out a copy of tables. ``why`` it was not asked."""
    stake = at_stake(way.plan, way.scripts.engine)
    choice = choose(stake, ServerFacts(sizes=(), uncopyable={}, may_copy=True))
    reason = choice.reason
    if choice.strategy == "table_copy":
        reason = f"only the rows of {', '.join(stake.tables)} are at stake; a dump where the server allows no copy"
    return BackupOutline(strategy=choice.strategy, reason=f"{reason} ({why})" if why else reason)


async def _past(way: SchemaChange, environ: Mapping[str, str], notes: list[str]) -> Sequence[tuple[str, float]]:
    """How long the same way took before; none where the ledger knows none, or is not to be had."""
    url = environ.get("ADX_LEDGER_URL")
    if not url:
        return ()
    from workflows.ledger import Ledger  # noqa: PLC0415 - only where a ledger is used
    from workflows.ledger.migrations_past import past_runs  # noqa: PLC0415 - see above

    try:
        async with await Ledger.open(url) as ledger:
            if await ledger.version() is None:  # no worker has ever run
                return ()
            return await past_runs(ledger, way.plan.database, (way.plan.from_version, way.plan.to_version))
    except AdxError as error:
        notes.append(f"Past runs of migrations are not known: {_told(error)}")
        return ()


def _refused(way: SchemaChange, recorded: Mapping[str, SchemaVersion]) -> list[Problem]:
    """Scripts that are not what databases say was applied, each once: these databases would refuse the rollout."""
    found: dict[str, list[tuple[str, Problem]]] = {}
    for target, version in sorted(recorded.items()):
        for problem in history_problems(way.scripts, version):
            found.setdefault(problem.file, []).append((target, problem))
    return [
        msgspec.structs.replace(told[0][1], what=f"{told[0][1].what}, as {_named([name for name, _ in told])} says")
        for told in found.values()
    ]


def _differing(way: SchemaChange, recorded: Mapping[str, SchemaVersion]) -> list[str]:
    declared = {one.id: one.from_version for one in way.targets}
    others = [
        f"{target} (version {found.version}, not {declared[target]})"
        for target, found in sorted(recorded.items())
        if found.version != declared[target]
    ]
    return [f"Databases of {way.plan.database} are not where the delivered state says: {_named(others)}."] * bool(
        others
    )


def _named(names: Sequence[str]) -> str:
    return first_of(names, MOST_NAMED)


def _edited_waivers(change: PullRequestChange) -> list[str]:
    is_edited = bool(change.base) and FILE in changed_paths(change.repository, change.base, change.head, (FILE,))
    return [f"{FILE} is edited here; that counts only after the merge."] * is_edited


def _delivered_scripts(question: Question) -> Mapping[str, ScriptSet]:
    """The scripts of the commit that is delivered; those of the base where that is the same, or is not to be had."""
    change, start = question.change, question.start
    declared = change.before.databases if change.before is not None else {}
    if start is None or not start.commit or start.commit == change.base:
        return declared
    try:
        tree = GitTree.open(change.repository, start.commit)
        databases, problems = read_databases(tree, layout_of(tree.entries()).scripts)
    except CommitMissing:
        return declared
    return declared if problems else databases


def _told(error: AdxError) -> str:
    if isinstance(error, DeclarationError):
        first = error.problems[0]
        return f"{first.file}:{first.line} of the base branch: {first.what}; {first.fix}"
    return "; ".join(part for part in (" ".join(str(error).split()), error.next_step) if part)
