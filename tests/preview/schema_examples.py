"""Pull requests that change the schema of databases, and what is reported of them. The checks are the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from pipelines.preview.migrations.changes import SchemaChange, Sides, schema_changes
from pipelines.preview.migrations.outline import Asked, outline, worst
from pipelines.preview.migrations.report import BackupOutline, FoundMigrations
from pipelines.preview.report import EnvironmentReport, Report
from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.desired_state import DesiredState, Unit
from policies.errors import Problem
from policies.migrations.model import ScriptSet
from policies.migrations.safety.findings import ScriptWaiver, TableAtStake
from policies.migrations.safety.judging import counted_tables, statistics_of
from policies.migrations.spec import DatabaseTarget, DatabaseVersion, MigrationsSpec
from policies.services.spec import ServicesSpec
from policies.tenancy.spec import Database
from tests.migrations.scripts import scripts_of
from tests.preview.examples import MERGED, changed, delivery, pinned, report, state
from tests.support.desired import platform_unit, service_spec, service_unit, tenant_unit
from workflows.migrations.checking import check_plan

TODAY = date(2026, 11, 26)
SERVER = "shop-eu"
ORDERS = ("CREATE TABLE orders (id bigint PRIMARY KEY, note text)", "DROP TABLE orders")
STATUS = ("ALTER TABLE orders ADD COLUMN status text", "ALTER TABLE orders DROP COLUMN status")
FILLED = ("ALTER TABLE orders ADD COLUMN closed boolean", "ALTER TABLE orders DROP COLUMN closed")
DROPPED = (
    "-- adx: phase=contract\n-- adx: requires=3\nALTER TABLE orders DROP COLUMN note",
    "ALTER TABLE orders ADD COLUMN note text",
)
FOR_GOOD = ("-- adx: phase=contract\n-- adx: requires=3\nALTER TABLE orders DROP COLUMN note", None)
INDEX = ("CREATE INDEX orders_status ON orders (status)", "DROP INDEX CONCURRENTLY orders_status")
SIZES = (TableAtStake(table="orders", rows=1_250_000, bytes=480_000_000),)
WAIVER = ScriptWaiver(
    check="pg.require-concurrent-index-creation",
    script="infra/databases/shop/0003_step_3.up.sql",
    owner="team-shop",
    reason="The shop is closed while this runs.",
    expires="2027-01-31",
    environment="staging",
)
COPY = BackupOutline(
    strategy="table_copy",
    reason="only the rows of orders are at stake (480.0 MB)",
    database=f"{SERVER}/shop/acme",
    rows=1_250_000,
    bytes=480_000_000,
    backup_seconds=6.8,
    restore_seconds=17.2,
)
SCRIPTS = BackupOutline(
    strategy="down_script",
    reason="every script can be taken back, and none changes or loses a row",
    database=f"{SERVER}/shop/acme",
    backup_seconds=2.0,
    restore_seconds=5.2,
)


def databases(version: int, tenants: Sequence[str], *, written_for: int = 0, server: str = SERVER) -> list[Unit]:
    """A platform, a service that is written for a version of the schema, and tenants with a schema each."""
    versions = {"shop": written_for} if written_for else {}
    owned = DatabaseVersion(database="shop", engine="postgresql", version=version, server=server)
    return [
        platform_unit("staging"),
        service_unit("staging", service_spec(schema_versions=versions)),
        *(
            tenant_unit(
                "staging",
                name,
                migrations=owned,
                database=Database(engine="postgresql", name="shop", schema=name.replace("-", "_")),
            )
            for name in tenants
        ),
    ]


def declarations(version: int, scripts: ScriptSet, *, server: str | None = SERVER) -> Declarations:
    """What is declared of staging's databases."""
    target = DatabaseTarget(name="shop", engine="postgresql", version=version, server=server)
    staging = EnvironmentDeclarations(
        environment=delivery(None),
        services=ServicesSpec(environment="staging", services=()),
        configuration=ConfigurationSpec(environment="staging", values={}),
        flags=FlagsSpec(environment="staging", flags=()),
        migrations=MigrationsSpec(environment="staging", databases=(target,)),
    )
    return Declarations(environments={"staging": staging}, tenants={}, databases={"shop": scripts})


class Migration:
    """A pull request that raises ``shop`` from one version to another; everything before is delivered."""

    def __init__(
        self,
        *pairs: tuple[str, str | None],
        versions: tuple[int, int],
        tenants: Sequence[str] = ("acme", "globex"),
        written_for: tuple[int, int] = (0, 0),
        server: str = SERVER,
    ) -> None:
        self.scripts = scripts_of("postgresql", *pairs)
        first, last = versions
        self.base = state(*databases(first, tenants, written_for=written_for[0], server=server))
        self.after = pinned(
            state(*databases(last, tenants, written_for=written_for[1], server=server), commit=MERGED), self.base
        )
        known = scripts_of("postgresql", *pairs[:first])
        self.sides = Sides(
            declarations(first, known, server=server or None),
            declarations(last, self.scripts, server=server or None),
            {"shop": known},
        )

    def changes(self, start: DesiredState | None = None) -> tuple[list[SchemaChange], list[Problem]]:
        """What becomes of the databases."""
        return schema_changes("staging", start or self.base, self.after, self.sides)

    def report(
        self,
        asked: Asked | None = None,
        *,
        waivers: Sequence[ScriptWaiver] = (),
        runs: Sequence[tuple[str, float]] = (),
        **more: Any,
    ) -> EnvironmentReport:
        """The report on staging, where databases have said what stands in ``asked``."""
        ways, problems = self.changes()
        told = [outline(way, asked or Asked(), self.judged(way, asked or Asked(), waivers), runs) for way in ways]
        found = FoundMigrations(outlines=tuple(told), problems=tuple(problems))
        units = list(self.after.units)
        return changed(units, list(self.base.units), migrations=found, **more)

    def judged(self, way: SchemaChange, asked: Asked, waivers: Sequence[ScriptWaiver]) -> tuple[Any, ...]:
        """What the real safety checks find."""
        sizes = worst(way, asked)
        return check_plan(way.scripts, way.plan, sizes, waivers, environment="staging", today=TODAY)


def asked(sizes: Mapping[str, Sequence[TableAtStake]], backup: BackupOutline | None = SCRIPTS, **more: Any) -> Asked:
    """Databases (schemas of shop) with these tables."""
    statistics = {
        f"{SERVER}/shop/{schema}": statistics_of(counted_tables(tables), "16.2") for schema, tables in sizes.items()
    }
    return Asked(**({"statistics": statistics, "backup": backup, "at_once": 8} | more))


SMALL = (TableAtStake(table="orders", rows=400, bytes=90_000),)
BOTH = {"acme": SIZES, "globex": SMALL}


def column_added() -> Report:
    """Nothing speaks against it, and the ledger has seen it before."""
    runs = [("development", 1.2), ("development", 2.4), ("development", 1.6)]
    return report(Migration(ORDERS, STATUS, versions=(1, 2)).report(asked(BOTH), runs=runs))


def column_dropped() -> Report:
    """A contract script is held back until the services have come that need the column no more."""
    made = Migration(ORDERS, STATUS, FILLED, DROPPED, versions=(2, 4), written_for=(2, 3))
    return report(made.report(asked(BOTH, COPY)))


def column_dropped_too_early() -> Report:
    """No service that is delivered could do without the column."""
    made = Migration(ORDERS, STATUS, FILLED, DROPPED, versions=(3, 4), written_for=(2, 2))
    return report(made.report(asked(BOTH, COPY)))


def dropped_for_good() -> Report:
    """There is no way back but the backup."""
    dump = msgspec.structs.replace(
        COPY,
        strategy="dump",
        reason="infra/databases/shop/0004_step_4.up.sql changes the schema and cannot be taken back",
    )
    made = Migration(ORDERS, STATUS, FILLED, FOR_GOOD, versions=(3, 4), written_for=(3, 3))
    return report(made.report(asked(BOTH, dump)))


def unsafe_index() -> Report:
    """An index on a large table that blocks its writers."""
    return report(Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).report(asked(BOTH)))


def index_on_a_small_table() -> Report:
    """The same on few rows is no matter."""
    return report(Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).report(asked({"acme": SMALL, "globex": SMALL})))


def index_waived() -> Report:
    """Somebody answers for it, as the base branch says."""
    return report(Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).report(asked(BOTH), waivers=(WAIVER,)))


def two_hundred_tenants() -> Report:
    """Each with a schema; all but one were asked."""
    names = [f"customer-{number:03}" for number in range(200)]
    sizes = {name.replace("-", "_"): SIZES if name == "customer-042" else SMALL for name in names[:-1]}
    why = f"{SERVER}/shop/customer_199: the server refuses a statement: permission denied for schema customer_199"
    made = Migration(ORDERS, STATUS, INDEX, versions=(2, 3), tenants=names)
    backup = msgspec.structs.replace(SCRIPTS, database=f"{SERVER}/shop/customer_042")
    return report(made.report(asked(sizes, backup, unknown=(why,))))


def server_unreachable() -> Report:
    """Scripts are judged without sizes, and so more strictly."""
    why = "shop-eu.internal:5432/shop (schema acme) cannot be reached: connection refused"
    backup = BackupOutline(strategy="down_script", reason=SCRIPTS.reason)
    return report(Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).report(Asked(unknown=(why,), backup=backup)))


def script_edited() -> Report:
    """A script was changed after it was delivered."""
    made = Migration(ORDERS, STATUS, versions=(2, 2))
    edited = scripts_of("postgresql", ORDERS, ("ALTER TABLE orders ADD COLUMN status varchar(9)", STATUS[1]))
    made.sides = Sides(made.sides.before, declarations(2, edited), made.sides.known)
    return report(made.report())


def without_server() -> Report:
    """A version that nobody applies is still judged."""
    return report(Migration(ORDERS, STATUS, INDEX, versions=(2, 3), server="").report())


SCHEMA_EXAMPLES: dict[str, Callable[[], Report]] = {
    made.__name__: made
    for made in (
        column_added,
        column_dropped,
        column_dropped_too_early,
        dropped_for_good,
        unsafe_index,
        index_on_a_small_table,
        index_waived,
        two_hundred_tenants,
        server_unreachable,
        script_edited,
        without_server,
    )
}
