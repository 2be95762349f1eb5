"""Which version each database has in one environment: ``environments/<env>/migrations.yaml``."""

from __future__ import annotations

from typing import Literal

from policies.spec import Spec

Engine = Literal["postgresql", "mysql"]
UsedBy = Literal["tenants", "platform"]


class DatabaseTarget(Spec):
    """One database: its scripts are ``infra/databases/<name>/``, ``version`` is the newest that is applied (0: none).

    ``used_by`` tenants: every tenant of this engine has the schema, each in its own database or schema.
    ``engine`` ``mysql`` is MySQL and MariaDB. ``server`` names where it runs: workers know its address as
    ``ADX_DATABASE_<SERVER>_URL``. Without one nobody applies it, and rollouts say so.
    """

    name: str
    engine: Engine
    version: int
    used_by: UsedBy = "tenants"
    server: str | None = None


class MigrationsSpec(Spec):
    """All databases of one environment."""

    environment: str
    databases: tuple[DatabaseTarget, ...]


class DatabaseVersion(Spec):
    """The version of the scripts ``database`` that a tenant's schema, or one of the platform, has on ``server``."""

    database: str
    engine: Engine
    version: int
    server: str = ""


def version_for(engine: str, declared: MigrationsSpec | None) -> DatabaseVersion | None:
    """The version for a tenant whose database runs ``engine``; None where none is declared."""
    for target in declared.databases if declared is not None else ():
        if target.used_by == "tenants" and target.engine == engine:
            return _version_of(target)
    return None


def platform_versions(declared: MigrationsSpec | None) -> tuple[DatabaseVersion, ...]:
    """The versions of the platform's own databases, ordered by name."""
    targets = [one for one in declared.databases if one.used_by == "platform"] if declared is not None else []
    return tuple(_version_of(one) for one in sorted(targets, key=lambda one: one.name))


def _version_of(target: DatabaseTarget) -> DatabaseVersion:
    server = target.server or ""
    return DatabaseVersion(database=target.name, engine=target.engine, version=target.version, server=server)
