"""Which part of a change of schema comes before the services that it belongs to, and which after. Pure.

A service declares the version that it is written for. It needs the schema to
have at least that one, and works with every later one up to the first script
whose *floor* (``requires`` or ``compatible`` of its header, the larger) is
above it. So

* upwards, scripts run before the services come, up to the first one that a
  service that still runs would not survive; the rest runs after them;
* downwards, whatever the services that come would not survive is taken back
  before them, the rest after them.

Where neither order works, one delivery cannot do it: refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.errors import AdxError
from policies.migrations.model import Migration, ScriptSet

IN_TWO = "deliver it in two merges: first the services that work with both, then the rest"


class SchemaOrderRefused(AdxError):
    """Services and scripts of one delivery fit together in no order."""

    exit_code = 3


def floor_of(migration: Migration) -> int:
    """The version that services must be written for to work once the script has run; 0 for any."""
    header = migration.up.header
    return max(header.requires or 0, header.compatible or 0)


def version_before_services(
    scripts: ScriptSet, versions: tuple[int, int], running: Mapping[str, int], coming: Mapping[str, int]
) -> int:
    """The version that the schema has when the services of this delivery come; the rest follows them.

    ``versions`` are from and to; ``running`` and ``coming`` say what services are written for. Raises
    SchemaOrderRefused.
    """
    start, end = versions
    _check_written(scripts, coming, end)
    way = _upwards if end >= start else _downwards
    return way(scripts, start, end, running, coming)


def _upwards(scripts: ScriptSet, start: int, end: int, running: Mapping[str, int], coming: Mapping[str, int]) -> int:
    reached = start
    for migration in scripts.between(start, end):
        if _breaking(migration, running):
            break
        reached = migration.version
    for migration in scripts.between(reached, end):
        broken = _breaking(migration, coming)
        if broken:
            raise SchemaOrderRefused(
                f"{migration.up.file} is for services written for version {floor_of(migration)} of {scripts.database}"
                f" or later; {_named(broken)}",
                next_step="deliver the services that need no more first, then this script",
            )
    waiting = {name: version for name, version in coming.items() if version > reached}
    if waiting and reached < end:
        stopped = _named(_breaking(scripts.between(reached, end)[0], running))
        raise SchemaOrderRefused(
            f"{_named(waiting)}, but before they come {scripts.database} can only have version {reached}: {stopped}",
            next_step=IN_TWO,
        )
    return reached


def _downwards(scripts: ScriptSet, start: int, end: int, running: Mapping[str, int], coming: Mapping[str, int]) -> int:
    blocking = [one.version for one in scripts.between(end, start) if _breaking(one, coming)]
    reached = min(blocking) - 1 if blocking else start
    stuck = {name: version for name, version in running.items() if version > reached}
    if stuck and reached < start:
        raise SchemaOrderRefused(
            f"{scripts.database} must go back to version {reached} before the services come, and until then"
            f" {_named(stuck)}",
            next_step=IN_TWO,
        )
    return reached


def _check_written(scripts: ScriptSet, coming: Mapping[str, int], end: int) -> None:
    ahead = {name: version for name, version in coming.items() if version > end}
    if ahead:
        raise SchemaOrderRefused(
            f"{_named(ahead)}, and {scripts.database} is to have version {end}", next_step="raise the declared version"
        )


def _breaking(migration: Migration, services: Mapping[str, int]) -> dict[str, int]:
    return {name: version for name, version in services.items() if version < floor_of(migration)}


def _named(services: Mapping[str, int]) -> str:
    return ", ".join(f"{name} is written for {version}" for name, version in sorted(services.items()))
