"""`adx migrate`: write scripts, see what they would do, prove them (databases: ``migrate_databases``)."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.cli.invocation import current, leave
from pipelines.cli.migrate_databases import rollback, run, status
from pipelines.exit_codes import ExitCode

URL_SETTING = "ADX_MIGRATE_URL"
SCRATCH_SETTING = "ADX_MIGRATE_SCRATCH_URL"


class Phase(StrEnum):
    """What part of a change a script is."""

    EXPAND = "expand"
    BACKFILL = "backfill"
    CONTRACT = "contract"


class Engine(StrEnum):
    """What runs the database."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


migrate = typer.Typer(
    name="migrate",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Database migrations: write, plan, verify and deliver them.",
)


@migrate.command(short_help="Write the next script of a database.")
def new(
    ctx: typer.Context,
    database: Annotated[str, typer.Argument(help="The folder under infra/databases/.")],
    description: Annotated[str, typer.Argument(help="What it does, as in add_order_status.")],
    engine: Annotated[Engine | None, typer.Option(help="For the first script of a database.")] = None,
    phase: Annotated[Phase, typer.Option(help="Its part of a change in several steps.")] = Phase.EXPAND,
) -> None:
    """Write an up and a down script with the next number, and note both in adx.sum.

    Two branches that do so conflict in adx.sum, so that nobody merges two scripts of one number.

    \b
    Examples:
      adx migrate new shop add_order_status
      adx migrate new shop drop_old_status --phase contract
      adx migrate new stock create_items --engine mysql
    """
    from pipelines.migrating import files_in, folder_of, today, write
    from policies.migrations.authoring import new_migration

    invocation = current(ctx)
    folder = folder_of(invocation.settings, database)
    made = new_migration(
        database,
        files_in(folder),
        description,
        engine=engine.value if engine is not None else None,
        phase=phase.value,
        today=today(),
    )
    written = write(folder, made, invocation.settings.folder)
    invocation.output.say(f"write both scripts, then run `adx migrate sum {database}`")
    invocation.output.result(written, "\n".join(written))


@migrate.command(name="sum", short_help="Note the scripts as they are in adx.sum.")
def sum_(
    ctx: typer.Context, database: Annotated[str, typer.Argument(help="The folder under infra/databases/.")]
) -> None:
    """Write adx.sum anew for the scripts as they are, after you have looked at what changed.

    A script that was applied anywhere must never change: `adx migrate plan` and every database refuse it.

    \b
    Examples:
      adx migrate sum shop
    """
    from pipelines.migrating import files_in, folder_of, write
    from policies.migrations.authoring import new_sum
    from policies.migrations.sums import FILE

    invocation = current(ctx)
    folder = folder_of(invocation.settings, database)
    written = write(folder, {FILE: new_sum(database, files_in(folder))}, invocation.settings.folder)
    invocation.output.result(written, "\n".join(written))


@migrate.command(short_help="Show what is pending, and what is unsafe.")
def plan(
    ctx: typer.Context,
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="ENV", help="Environments; all if none is given.")
    ] = None,
    *,
    base: Annotated[str, typer.Option(help="The commit whose declared versions count as applied.")] = "HEAD",
    from_version: Annotated[
        int | None, typer.Option("--from", help="Count this version as applied instead; 0 for an empty database.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help=f"Ask this database what is applied, and for its sizes. Else {URL_SETTING}.")
    ] = None,
    schema: Annotated[str, typer.Option(help="With --url: the schema of PostgreSQL.")] = "public",
    database: Annotated[str | None, typer.Option(help="Only this database.")] = None,
) -> None:
    """Show the migrations that are pending in each environment, and what is unsafe in them.

    Each finding says which lock is taken, whether the table is rewritten, how many rows are at stake, and how to
    write it instead. Waivers are read at the base commit. Exit status 1 when a finding blocks.

    \b
    Examples:
      adx migrate plan                                   what the files as they are add to HEAD
      adx migrate plan production --base origin/main
      adx migrate plan staging --database shop --from 0
      ADX_MIGRATE_URL=postgresql://… adx migrate plan staging --database shop
    """
    from pipelines.migrating import Asked, plans
    from pipelines.screens.migrate import plan_screen

    invocation = current(ctx)
    asked = Asked(
        environments=tuple(environments or ()),
        base=base,
        from_version=from_version,
        url=url or invocation.settings.optional(URL_SETTING),
        schema=schema,
        database=database,
    )
    found = asyncio.run(plans(invocation.settings.folder, asked))
    invocation.output.result(found, plan_screen(found))
    leave(ExitCode.FAILED if any(one.is_blocking for one in found) else ExitCode.OK)


@migrate.command(short_help="Prove that scripts can be taken back.")
def verify(
    ctx: typer.Context,
    database: Annotated[str, typer.Argument(help="The folder under infra/databases/.")],
    url: Annotated[
        str | None,
        typer.Option(help=f"A server for the scratch database. Else {SCRATCH_SETTING}, else the local stack's."),
    ] = None,
    applied: Annotated[int, typer.Option("--from", help="Prove the versions above this one only.")] = 0,
) -> None:
    """Run every script up, down and up again on a scratch database, and compare the schemas.

    The scratch database is made on the server for this and dropped at the end. Exit status 1 when a script fails or
    is not undone by its down script.

    \b
    Examples:
      adx migrate verify shop
      adx migrate verify shop --from 12
      ADX_MIGRATE_SCRATCH_URL=postgresql://… adx migrate verify shop --json
    """
    from pipelines.migrating import scratch_server, scripts_of
    from pipelines.screens.migrate import proof_screen
    from workflows.migrations.proof import prove_migrations

    invocation = current(ctx)
    scripts = scripts_of(invocation.settings.folder, database)
    server = scratch_server(invocation.settings, scripts.engine, url)
    proof = asyncio.run(prove_migrations(server, scripts, applied))
    invocation.output.result({"proved": proof.is_proved, "proof": proof}, proof_screen(proof))
    leave(ExitCode.OK if proof.is_proved else ExitCode.FAILED)


migrate.command(short_help="Bring databases to their declared version.")(run)
migrate.command(short_help="Take back what an operation brought.")(rollback)
migrate.command(short_help="Show every database: version, drift.")(status)
