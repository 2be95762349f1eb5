"""Databases that have their version already, found together: a thousand of them are no reason for a thousand sessions.

Whatever is not plainly as it should be is left to those who look at one database at a time, and tell what they find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from policies.errors import AdxError
from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.model import ScriptSet
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import open_database
from workflows.migrations.servers import Server


async def recorded(server: Server, targets: Sequence[MigrationTarget]) -> dict[str, SchemaVersion]:
    """What the databases of ``targets`` on one server record, by target; without those that record nothing.

    A session for each database of PostgreSQL, one for all of a MySQL server. Raises what the client raises.
    """
    found: dict[str, SchemaVersion] = {}
    for together in _together(targets):
        places = {one.schema or one.database: one.id for one in together}
        async with open_database(server.of(together[0])) as database:
            versions = await database.get_schema_versions(sorted(places))
        found |= {places[place]: version for place, version in versions.items()}
    return found


def up_to_date(
    targets: Sequence[MigrationTarget], found: Mapping[str, SchemaVersion], scripts: Mapping[str, ScriptSet]
) -> dict[str, int]:
    """The targets that have their version by the record and by the scripts, of which nothing is half done. Pure."""
    return {one.id: one.to_version for one in targets if _is_there(one, found.get(one.id), scripts[one.scripts])}


def _is_there(target: MigrationTarget, found: SchemaVersion | None, scripts: ScriptSet) -> bool:
    if found is None or found.unfinished is not None or found.version != target.to_version:
        return False
    try:
        return not plan_migration(scripts, found, target.to_version).migrations
    except AdxError:
        return False  # told when it is looked at for itself


def _together(targets: Sequence[MigrationTarget]) -> list[list[MigrationTarget]]:
    groups: dict[str, list[MigrationTarget]] = defaultdict(list)
    for one in targets:
        groups[one.database if one.engine == "postgresql" else ""].append(one)
    return list(groups.values())
