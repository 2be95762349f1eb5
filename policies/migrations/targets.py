"""Which databases an environment has, and what each is to become: two desired states → targets. Pure.

How a tenant is kept apart decides where its tables are:

======================  ===============  =======================
isolation               database         schema
======================  ===============  =======================
``database_per_tenant``  the tenant's     ``public`` (MySQL: none)
``schema_per_tenant``    the tenant's     the tenant's
``shared_schema``        the tenant's     the one they share: one target for all of them
======================  ===============  =======================

A database of the platform is called as its scripts, ``-`` written as ``_``. A
target's address is its server's name, never a URL: that is the worker's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from policies.desired_state import DesiredState, PlatformInputs, ServiceInputs, TenantInputs, Unit
from policies.migrations.spec import DatabaseVersion, Engine
from policies.spec import Spec

PUBLIC = "public"


class MigrationTarget(Spec):
    """One schema of one server. ``id`` is ``server/database/schema``; ``tenants`` have their tables in it.

    ``is_new``: no version was delivered here before, so what is missing of it is made.
    """

    id: str
    server: str
    database: str
    schema: str
    scripts: str
    engine: Engine
    tenants: tuple[str, ...]
    from_version: int
    to_version: int
    is_new: bool = False


class Targets(Spec):
    """All targets of one operation, and the commits whose scripts they use, the one that is delivered first."""

    environment: str
    commits: tuple[str, ...]
    targets: tuple[MigrationTarget, ...]

    def by_id(self) -> dict[str, MigrationTarget]:
        """The targets by their id."""
        return {one.id: one for one in self.targets}


def targets_of(state: DesiredState | None) -> dict[str, MigrationTarget]:
    """Every database of ``state`` that a server is named for, at its declared version, by id."""
    found: dict[str, MigrationTarget] = {}
    for unit in state.units if state is not None else ():
        for one in _of_unit(unit):
            known = found.get(one.id)
            tenants = (*known.tenants, *one.tenants) if known is not None else one.tenants
            found[one.id] = msgspec.structs.replace(one, tenants=tuple(sorted(tenants)))
    return dict(sorted(found.items()))


def changed_targets(before: DesiredState | None, after: DesiredState) -> tuple[MigrationTarget, ...]:
    """The databases that get another version, or are new; ordered by id. What goes away keeps its data."""
    old = targets_of(before)
    return tuple(
        msgspec.structs.replace(one, from_version=known.from_version if known else 0, is_new=known is None)
        for one in targets_of(after).values()
        if (known := old.get(one.id)) is None or known.to_version != one.to_version
    )


def unapplied(before: DesiredState | None, after: DesiredState) -> tuple[str, ...]:
    """``shop 3`` for every version that changes and that nobody applies: no server is named for it."""
    known = {(one.database, one.version) for unit in before.units for one in _versions(unit)} if before else set()
    now = {(one.database, one.version) for unit in after.units for one in _versions(unit) if not one.server}
    return tuple(f"{database} {version}" for database, version in sorted(now - known))


def written_for(state: DesiredState | None, scripts: str) -> Mapping[str, int]:
    """The services that declare a version of the schema ``scripts``, with that version."""
    units = state.units if state is not None else ()
    services = [unit.inputs.service for unit in units if isinstance(unit.inputs, ServiceInputs)]
    return {one.name: one.schema_versions[scripts] for one in services if scripts in one.schema_versions}


def _versions(unit: Unit) -> tuple[DatabaseVersion, ...]:
    if isinstance(unit.inputs, TenantInputs):
        return (unit.inputs.migrations,) if unit.inputs.migrations is not None else ()
    return unit.inputs.migrations if isinstance(unit.inputs, PlatformInputs) else ()


def _of_unit(unit: Unit) -> Iterator[MigrationTarget]:
    for version in _versions(unit):
        if not version.server:
            continue
        if isinstance(unit.inputs, TenantInputs):
            database, schema = unit.inputs.database.name, unit.inputs.database.schema or PUBLIC
            tenants: tuple[str, ...] = (unit.inputs.name,)
        else:
            database, schema, tenants = version.database.replace("-", "_"), PUBLIC, ()
        is_mysql = version.engine == "mysql"
        yield MigrationTarget(
            id=f"{version.server}/{database}" + ("" if is_mysql else f"/{schema}"),
            server=version.server,
            database=database,
            schema="" if is_mysql else schema,
            scripts=version.database,
            engine=version.engine,
            tenants=tenants,
            from_version=version.version,
            to_version=version.version,
        )
