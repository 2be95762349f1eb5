"""`adx services`: list, show, compat; those about releases are in `services_releases`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import services_releases
from pipelines.cli.invocation import Invocation, current, leave
from pipelines.cli.options import Ref
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.services.declared import ServiceRow

Env = Annotated[str | None, typer.Argument(metavar="ENV", help="The environment; all if none is given.")]
EnvOption = Annotated[str | None, typer.Option("--env", "-e", metavar="ENV", help="Only in this environment.")]
Delivered = Annotated[bool, typer.Option("--delivered", help="Ask the ledger which versions were delivered.")]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Services: what is declared and delivered, whether it goes together, and their releases.",
)


@app.command("list", short_help="List services and their versions.")
def list_(ctx: typer.Context, environment: Env = None, *, ref: Ref = None, delivered: Delivered = False) -> None:
    """List services: version, replicas, what they depend on and in which versions.

    With --delivered also what the ledger says was delivered, which needs ADX_LEDGER_URL and the history of the
    repository.

    \b
    Examples:
      adx services list
      adx services list production --delivered
      adx services list staging --ref v1.4.0 --json
    """
    from pipelines.screens.services import list_screen

    rows = _rows(current(ctx), environment, ref, delivered=delivered)
    current(ctx).output.result(rows, list_screen(rows, with_delivered=delivered))


@app.command("show", short_help="Show one service in every environment.")
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the service.")],
    *,
    environment: EnvOption = None,
    ref: Ref = None,
    delivered: Delivered = False,
) -> None:
    """Show one service, environment by environment: version, what it needs, who calls it.

    Exit status 6 when no environment has such a service.

    \b
    Examples:
      adx services show frontend
      adx services show cartservice --env production --delivered
    """
    from pipelines.screens.services import show_screen
    from pipelines.services.declared import ServiceMissing
    from policies.findings import suggestion

    rows = _rows(current(ctx), environment, ref, delivered=delivered)
    found = [row for row in rows if row.service == name]
    if not found:
        where = environment or "any environment"
        fix = suggestion(name, {row.service for row in rows}, "declare it in services.yaml")
        raise ServiceMissing(f"there is no service {name} in {where}", next_step=fix)
    current(ctx).output.result(found, show_screen(found, with_delivered=delivered))


@app.command("compat", short_help="Check that services go together.")
def compat(
    ctx: typer.Context,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment, for example production.")],
    *,
    ref: Ref = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="REF", help="Also name versions that are lower than there.")
    ] = None,
) -> None:
    """Check that the services of an environment go together, and say in which order they can start.

    Everything that services need is looked at in the state as a whole: versions of other services, versions of
    databases, flags. So what is raised together is checked together. Every issue is named, with its place.

    Exit status 0 when they go together, 1 when they do not, 3 when the documents cannot be read.

    \b
    Examples:
      adx services compat production
      adx services compat production --ref my-branch --since main
      adx services compat staging --json
    """
    from pipelines.screens.services import compat_screen
    from pipelines.services.compatibility import compatibility
    from pipelines.services.declared import tree_of

    folder = current(ctx).settings.folder
    before = tree_of(folder, since) if since is not None else None
    found = compatibility(tree_of(folder, ref), environment, before)
    current(ctx).output.result(found, compat_screen(found))
    leave(ExitCode.OK if found.is_compatible else ExitCode.FAILED)


app.command("releases", short_help="List delivered releases, and those under way.")(services_releases.releases)
app.command("promote", short_help="End the bake of a new release as passed.")(services_releases.promote)
app.command("abort", short_help="Take a new release back while it is under way.")(services_releases.abort)
app.command("switch-back", short_help="Go back to the old releases while they are kept.")(services_releases.switch_back)


def _rows(
    invocation: Invocation, environment: str | None, ref: str | None, *, delivered: bool
) -> tuple[ServiceRow, ...]:
    from pipelines.services.declared import rows_of, tree_of

    rows = rows_of(tree_of(invocation.settings.folder, ref), environment)
    return asyncio.run(_with_delivered(invocation, rows)) if delivered else rows


async def _with_delivered(invocation: Invocation, rows: tuple[ServiceRow, ...]) -> tuple[ServiceRow, ...]:
    from pipelines.cli.connections import ledger
    from pipelines.services.delivered import with_delivered

    async with ledger(invocation.settings) as opened:
        return await with_delivered(opened, invocation.settings.folder, rows)
