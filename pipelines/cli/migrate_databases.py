"""`adx migrate run`, `rollback` and `status`: databases brought to their versions, taken back, looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.cli.options import By, Environment, Reason, actor
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.migration_status import DatabaseStatus
    from workflows.migrations.client import Operation
    from workflows.migrations.models import Wanted


Database = Annotated[str, typer.Option(help="Only databases of these scripts: a folder under infra/databases/.")]
Tenant = Annotated[str, typer.Option(help="Only the database of this tenant.")]


def run(
    ctx: typer.Context,
    environment: Environment,
    *,
    database: Database = "",
    tenant: Tenant = "",
    to: Annotated[int | None, typer.Option(help="This version instead of the declared one.", min=0)] = None,
    lose_data: Annotated[bool, typer.Option(help="On the way down: also where rows are lost.")] = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Bring the databases of an environment to the version that is delivered there, and wait for the end.

    Rollouts do that by themselves; this is for databases that lagged behind, or that somebody has mended. Each is
    guarded: it ends with its version, or as it was. Refused while a rollout is under way.

    Exit status 0: all have their version; 1: refused; 4: some, or all, are as they were; 5: a person is needed.

    \b
    Examples:
      adx migrate run staging
      adx migrate run production --tenant casa-oliva
      adx migrate run staging --tenant acme --to 3
    """
    from workflows.migrations.models import Wanted

    by = actor(by)
    wanted = Wanted(environment, by, database, tenant, to, accepts_loss=lose_data, reason=reason, source="cli")
    _finish(current(ctx), asyncio.run(_operate(current(ctx), wanted)))


def rollback(
    ctx: typer.Context,
    environment: Environment,
    *,
    database: Database = "",
    tenant: Tenant = "",
    operation: Annotated[str, typer.Option(help="Only what this operation brought.", show_default="the last")] = "last",
    lose_data: Annotated[bool, typer.Option(help="Also where rows were written since, which are lost.")] = False,
    reason: Reason = "",
    by: By = "",
) -> None:
    """Take back, database by database, what its last operation brought.

    A database to which something was written since, in tables or columns that came with it, keeps its version and is
    named. Exit statuses as for `adx migrate run`.

    \b
    Examples:
      adx migrate rollback staging --tenant acme
      adx migrate rollback staging --operation rollout-staging-12-migrate
      adx migrate rollback staging --tenant acme --lose-data --reason "test data only"
    """
    from workflows.migrations.models import Wanted

    by = actor(by)
    wanted = Wanted(
        environment, by, database, tenant, undoes=operation, accepts_loss=lose_data, reason=reason, source="cli"
    )
    _finish(current(ctx), asyncio.run(_operate(current(ctx), wanted)))


def status(
    ctx: typer.Context,
    environment: Environment,
    *,
    tenant: Tenant = "",
    recorded: Annotated[bool, typer.Option("--recorded", help="Only what the ledger says; ask no database.")] = False,
) -> None:
    """Show which version every database has, and whether it is still what it was when it got it.

    Databases are asked where this machine has the address of their server (ADX_DATABASE_<SERVER>_URL). Exit status 1
    when one has drifted, lags behind or needs somebody.

    \b
    Examples:
      adx migrate status staging
      adx migrate status production --tenant casa-oliva --json
      adx migrate status production --recorded
    """
    from pipelines.screens.migration_status import status_screen

    invocation = current(ctx)
    found = asyncio.run(_statuses(invocation, environment, tenant, is_recorded_only=recorded))
    invocation.output.result(found, status_screen(environment, found))
    leave(ExitCode.OK if all(one.is_well for one in found) else ExitCode.FAILED)


async def _statuses(
    invocation: Invocation, environment: str, tenant: str, *, is_recorded_only: bool
) -> list[DatabaseStatus]:
    from pipelines.cli.connections import ledger
    from pipelines.migration_status import statuses

    async with ledger(invocation.settings) as opened:
        values = invocation.settings.values
        return await statuses(opened, values, environment, tenant=tenant, is_recorded_only=is_recorded_only)


async def _operate(invocation: Invocation, wanted: Wanted) -> Operation:
    from pipelines.cli.connections import workflows
    from workflows.migrations.client import MigrationsClient

    opened = await workflows(invocation.settings)
    client = MigrationsClient(opened.client, opened.task_queue)
    operation_id = await client.start(wanted)
    invocation.output.say(f"{operation_id} runs; Ctrl-C leaves it running")
    return await client.result(operation_id, wanted)


def _finish(invocation: Invocation, operation: Operation) -> None:
    from pipelines.screens.migration_status import operation_screen

    invocation.output.result(operation, operation_screen(operation))
    codes = {
        "delivered": ExitCode.OK,
        "nothing-to-change": ExitCode.OK,
        "refused": ExitCode.FAILED,
        "needs-operator": ExitCode.NEEDS_OPERATOR,
    }
    leave(codes.get(operation.outcome, ExitCode.ROLLED_BACK))
