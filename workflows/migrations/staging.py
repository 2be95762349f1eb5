"""A rollout's migrations: which databases, in which of its two parts, and whether that fits its services."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.desired_state import DesiredState
from policies.errors import AdxError
from policies.listing import first_of
from policies.migrations.phases import version_before_services
from policies.migrations.targets import MigrationTarget, Targets, changed_targets, unapplied, written_for
from workflows.errors import RolloutRefused
from workflows.migrations.finding import Scripts
from workflows.migrations.models import MigrationStage, RolloutMigrations
from workflows.migrations.servers import server_of
from workflows.runtime import Runtime

NAMES_SHOWN = 3


async def stages_of(
    runtime: Runtime, before: DesiredState | None, after: DesiredState, commits: Sequence[str]
) -> RolloutMigrations | None:
    """What the delivery of ``after`` does to databases; None for nothing. ``commits`` hold the scripts.

    Raises RolloutRefused when scripts and services fit in no order, or a server has no address.
    """
    changed = changed_targets(before, after)
    if not changed:
        return None
    scripts, first, rest, needed = Scripts(runtime), [], [], False
    try:
        for one in changed:
            server_of(runtime.environ, one.server, one.engine)
            known = await scripts.of(commits, one.scripts)
            running, coming = written_for(before, one.scripts), written_for(after, one.scripts)
            middle = version_before_services(known, (one.from_version, one.to_version), running, coming)
            needed = needed or any(version > one.from_version for version in coming.values())
            if middle != one.from_version:
                first.append(msgspec.structs.replace(one, to_version=middle))
            if middle != one.to_version:
                rest.append(msgspec.structs.replace(one, from_version=middle, is_new=one.is_new and middle == 0))
    except RolloutRefused:
        raise
    except AdxError as error:
        raise RolloutRefused(str(error), next_step=error.next_step) from error

    async def stage(targets: list[MigrationTarget], *, is_needed: bool) -> MigrationStage | None:
        if not targets:
            return None
        body = Targets(environment=after.environment, commits=tuple(commits), targets=tuple(targets))
        digest = await runtime.bodies.put(body, after.environment)
        return MigrationStage(digest, len(targets), stage_line(targets), is_needed)

    return RolloutMigrations(await stage(first, is_needed=needed), await stage(rest, is_needed=False))


def stage_line(targets: Sequence[MigrationTarget]) -> str:
    """``shop 2 → 3 in 8 databases``, for each way that is gone. Pure."""
    ways: dict[tuple[str, int, int], int] = {}
    for one in targets:
        way = (one.scripts, one.from_version, one.to_version)
        ways[way] = ways.get(way, 0) + 1
    told = [
        f"{scripts} {start} → {end} in {count} database{'s' * (count != 1)}"
        for (scripts, start, end), count in sorted(ways.items())
    ]
    return first_of(told, NAMES_SHOWN)


def with_unapplied(summary: str, before: DesiredState | None, after: DesiredState) -> str:
    """The summary of a rollout, and which declared versions nobody applies. Pure."""
    names = unapplied(before, after)
    if not names:
        return summary
    return f"{summary}; not applied, since migrations.yaml names no server: {', '.join(names)}"
