"""`adx config`: configuration as it is declared, kept and served.

Git is the source of truth: what changes a value changes a declaration and
leaves a commit or a branch; the delivery of that commit changes what is kept.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from pipelines.cli import config_changes
from pipelines.cli.config_common import (
    Environment,
    Key,
    Service,
    Tenant,
    check_environment,
    declared,
    kept_key_of,
    stored,
)
from pipelines.cli.invocation import current

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Read and change configuration values and secrets.",
)


@app.command(short_help="Show the values that are declared.")
def get(
    ctx: typer.Context,
    *,
    environment: Environment,
    service: Annotated[str | None, typer.Argument(help="The service; all if none is given.")] = None,
    key: Annotated[str | None, typer.Argument(help="The key; all if none is given.")] = None,
    tenant: Tenant = None,
    ref: Annotated[str | None, typer.Option(help="Read this branch, tag or commit, not the files.")] = None,
) -> None:
    """Show values as a service would get them: the tenant's own, else the environment's, else the service's default.

    Secrets are not shown. Exit status 6 when KEY has no value.

    \b
    Examples:
      adx config get staging
      adx config get staging frontend PAGE_SIZE --tenant acme
      adx config get production frontend --ref main --json
    """
    from pipelines.screens.config import values_screen
    from policies.configuration.values_resolution import effective
    from workflows.configuration.errors import ValueNotFound

    _, declarations = declared(current(ctx), ref)
    check_environment(declarations.environments, environment)
    found = effective(declarations, environment, service=service, key=key, tenant_id=tenant)
    if key is not None and not found:
        raise ValueNotFound(f"{environment} has no value {key} of {service}", next_step="list them without KEY")
    current(ctx).output.result(found, values_screen(found))


@app.command(short_help="List the versions of a value.")
def history(ctx: typer.Context, environment: Environment, service: Service, key: Key, tenant: Tenant = None) -> None:
    """List every version of a value that was ever delivered, newest first: when, by whom, what.

    \b
    Examples:
      adx config history staging frontend PAGE_SIZE
      adx config history staging frontend CURRENCY --tenant acme --json
    """
    from pipelines.screens.config import history_screen

    invocation = current(ctx)
    where = kept_key_of(invocation, environment, service, key, tenant)
    found = stored(invocation, lambda store: store.history(where.id))
    invocation.output.result(found, history_screen(found))


@app.command(short_help="Compare two versions of a value.")
def diff(
    ctx: typer.Context,
    *,
    environment: Environment,
    service: Service,
    key: Key,
    old: Annotated[int, typer.Argument(help="The older version.")],
    new: Annotated[int, typer.Argument(help="The newer version.")],
    tenant: Tenant = None,
) -> None:
    """Compare two versions of a value. Of a secret only whether it changed.

    \b
    Example:
      adx config diff staging frontend PAGE_SIZE 3 4
    """
    from pipelines.screens.config import difference_screen

    invocation = current(ctx)
    where = kept_key_of(invocation, environment, service, key, tenant)
    found = stored(invocation, lambda store: store.diff(where.id, old, new))
    invocation.output.result(found, difference_screen(found))


@app.command(short_help="Make or renew the tables of kept values.")
def migrate(ctx: typer.Context) -> None:
    """Bring the tables of kept configuration to this version; safe to run again, and by many at once.

    \b
    Example:
      ADX_CONFIGURATION_URL=mysql://adx@db/adx adx config migrate
    """
    invocation = current(ctx)
    version = stored(invocation, lambda store: store.migrate())
    invocation.output.say(f"the tables of the configuration are of version {version}")
    if invocation.is_json:
        invocation.output.json({"version": version})


@app.command(short_help="Run the HTTP API of configuration.")
def serve(
    ctx: typer.Context,
    *,
    listen: Annotated[str, typer.Option(envvar="ADX_CONFIGURATION_LISTEN", help="Its address.")] = "127.0.0.1:8790",
) -> None:
    """Serve values over HTTP, with ETags and long polls, to tokens of ADX_CONFIGURATION_GRANTS_FILE.

    \b
    Example:
      adx config serve --listen 0.0.0.0:8790          with TLS in front of it
    """
    from pipelines.configuration_api.serving import serve as run
    from workflows.telemetry import logs

    invocation = current(ctx)
    level = "DEBUG" if invocation.verbose else "INFO"
    logs.configure("configuration", redactor=invocation.redactor, level=level)
    asyncio.run(run(invocation.settings.values, listen))


app.command("set", short_help="Change a value in its declaration.")(config_changes.set_)
app.command(short_help="Encrypt a secret for one place.")(config_changes.encrypt)
app.command(short_help="Renew ciphertexts after a key rotation.")(config_changes.rewrap)
app.command(short_help="Declare an older version again.")(config_changes.restore)
