"""Databases that look new and are not: what goes away keeps its data, and a tenant that comes back finds them again.

Nobody's state says so, only the database itself: a rollout goes on from the version that is recorded there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pipelines.preview.migrations.changes import SchemaChange, Sides, States, from_recorded
from policies.errors import AdxError, Problem
from policies.migrations.history import SchemaVersion
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import open_database
from workflows.migrations.servers import Server, database_names, is_known, server_of

MOST_ASKED = 200
ASK_SECONDS = 60


@dataclass
class Returned:
    """The ways as they are, what speaks against them, and what to know beside."""

    ways: list[SchemaChange] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def with_returned(
    ways: Sequence[SchemaChange], environ: Mapping[str, str], states: States, sides: Sides
) -> Returned:
    """``ways`` in which databases that have a version already go on from it. Where none can be asked, they are new."""
    found = Returned(ways=[one for one in ways if not one.is_new])
    for way in ways:
        if way.is_new:
            recorded = await _recorded(way, environ, found.notes)
            fresh = tuple(one for one in way.targets if one.id not in recorded)
            for version in sorted({one.version for one in recorded.values()}):
                there = {name: one for name, one in recorded.items() if one.version == version}
                _go_on(way, there, states, sides, found)
            found.ways += [replace(way, targets=fresh)] if fresh else []
    return found


def _go_on(
    way: SchemaChange, recorded: Mapping[str, SchemaVersion], states: States, sides: Sides, found: Returned
) -> None:
    """Put the databases of ``recorded``, which have all the same version, on the way that begins there."""
    (version, *_) = {one.version for one in recorded.values()}
    targets = tuple(
        msgspec.structs.replace(one, from_version=version, is_new=False) for one in way.targets if one.id in recorded
    )
    found.notes.append(
        f"Databases of {way.plan.database} are not new, their data were kept at version {version}: "
        f"{', '.join(one.id for one in targets)}."
    )
    changed, problems = from_recorded(way, next(iter(recorded.values())), states, sides)
    found.problems += problems
    if changed is None:
        return
    same = next((one for one in found.ways if not one.is_new and one.plan.id == changed.plan.id), None)
    if same is not None:
        found.ways.remove(same)
        targets = tuple(sorted((*same.targets, *targets), key=lambda one: one.id))
    found.ways.append(replace(changed, targets=targets))


async def _recorded(way: SchemaChange, environ: Mapping[str, str], notes: list[str]) -> dict[str, SchemaVersion]:
    """What is recorded in the databases that have a version, by target; ``notes`` say what could not be asked."""
    found: dict[str, SchemaVersion] = {}
    for name in sorted({one.server for one in way.targets if is_known(environ, one.server)}):
        targets = [one for one in way.targets if one.server == name]
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found |= await _on_server(server_of(environ, name, way.scripts.engine), targets, notes)
        except AdxError as error:
            notes.append(_unknown(name, str(error)))
        except TimeoutError:
            notes.append(_unknown(name, f"no answer within {ASK_SECONDS} s"))
    return found


async def _on_server(server: Server, targets: Sequence[MigrationTarget], notes: list[str]) -> dict[str, SchemaVersion]:
    async with open_database(server.address) as admin:
        there = await database_names(admin, server.address.engine)
    asked = [one for one in targets if one.database in there]
    if len(asked) > MOST_ASKED:
        notes.append(_unknown(server.name, f"only {MOST_ASKED} of {len(asked):,} were asked"))
    places = asyncio.Semaphore(server.at_once)

    async def ask(target: MigrationTarget) -> SchemaVersion:
        async with places, open_database(server.of(target)) as database:
            return await database.get_schema_version()

    said = await asyncio.gather(*map(ask, asked[:MOST_ASKED]))
    return {target.id: one for target, one in zip(asked[:MOST_ASKED], said, strict=True) if one.version}


def _unknown(server: str, why: str) -> str:
    return f"Whether databases on {server} are new, or hold data from before, is not known: {' '.join(why.split())}"
