"""`adx flags`: list, eval, explain, stale, export, serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.cli.options import Environment, Ref
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.flags.declared import DeclaredFlags
    from pipelines.flags.serving import Next

EnvOption = Annotated[str, typer.Option("--env", "-e", metavar="ENV", help="The environment.")]
Flag = Annotated[str, typer.Argument(metavar="FLAG", help="The name of the flag.")]
User = Annotated[str | None, typer.Option("--user", "-u", help="The targeting key: the user's id.")]
Tenant = Annotated[str | None, typer.Option("--tenant", "-t", help="The user's tenant.")]
Attribute = Annotated[list[str] | None, typer.Option("--attr", "-a", metavar="K=V", help="A text of the context.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As if it were then: 2026-12-01T08:00Z.")]

FIXED_DAYS = 30

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Feature flags: what is declared, who gets what, and why.",
)


@app.command("list", short_help="List the flags of an environment.")
def list_(ctx: typer.Context, environment: Environment, ref: Ref = None) -> None:
    """List the flags of an environment: how each is decided, its owner, and the services that read it.

    \b
    Examples:
      adx flags list production
      adx flags list production --ref v1.4.0 --json
    """
    from pipelines.screens.flags import list_screen

    declared = _declared(ctx, environment, ref)
    screen = list_screen(environment, declared.commit, declared.flags, declared.services)
    current(ctx).output.result(declared, screen)


@app.command("eval", short_help="Say what a user gets of a flag.")
def evaluate(
    ctx: typer.Context,
    flag: Flag,
    *,
    environment: EnvOption,
    user: User = None,
    tenant: Tenant = None,
    attribute: Attribute = None,
    at: At = None,
    ref: Ref = None,
) -> None:
    """Say what a user gets of a flag: value, variant and reason as OpenFeature has them.

    Exit status 0 when there is a value or the default of the code counts, 1 when the evaluation is an error.

    \b
    Examples:
      adx flags eval express-checkout --env production --user ines.keller
      adx flags eval gift-wrapping --env staging --tenant maison-verrier
      adx flags eval layout --env production --user ann --attr plan=gold --json
    """
    from pipelines.screens.flags import eval_screen

    declared = _declared(ctx, environment, ref)
    declared.flag(flag)
    found = declared.evaluator().evaluate(flag, user, _attributes(tenant, attribute), _time(at))
    note = _note(ctx, flag, environment, tenant, ref)
    current(ctx).output.result({"flag": flag, "evaluation": found, "note": note}, eval_screen(flag, found, note))
    leave(ExitCode.OK if found.error_code is None else ExitCode.FAILED)


@app.command("explain", short_help="Say why a user gets it, rule by rule.")
def explain(
    ctx: typer.Context,
    flag: Flag,
    *,
    environment: EnvOption,
    user: User = None,
    tenant: Tenant = None,
    attribute: Attribute = None,
    at: At = None,
    ref: Ref = None,
) -> None:
    """Say why a user gets what it gets of a flag: everything that is asked, rule by rule, with the user's bucket.

    \b
    Examples:
      adx flags explain express-checkout --env production --user ines.keller
      adx flags explain layout --env production --user ann --at 2026-12-24T08:00Z
    """
    from pipelines.screens.flags import explain_screen
    from policies.configuration.flags.explanation import explain as told_of

    declared = _declared(ctx, environment, ref)
    declared.flag(flag)
    evaluator, attributes, now = declared.evaluator(), _attributes(tenant, attribute), _time(at)
    told = told_of(declared.plans(), evaluator, flag, user, attributes, now=now)
    found = evaluator.evaluate(flag, user, attributes, now)
    note = _note(ctx, flag, environment, tenant, ref)
    body = {"evaluation": found, "explanation": told, "note": note}
    current(ctx).output.result(body, explain_screen(told, found, note))


@app.command("stale", short_help="List flags that should go.")
def stale(
    ctx: typer.Context,
    environment: Environment,
    fixed_days: Annotated[
        int, typer.Option("--fixed-days", min=1, help="The same for everybody for so many days is long.")
    ] = FIXED_DAYS,
    ref: Ref = None,
) -> None:
    """List flags that should go, with their owners: past their lifetime, over, or the same for everybody for long.

    Since when a flag is what it is, Git tells. Flags with lifetime.permanent are left out. Exit status 0 without, 1
    with stale flags.

    \b
    Examples:
      adx flags stale production
      adx flags stale production --fixed-days 90 --json
    """
    from pipelines.flags.declared import unchanged_since
    from pipelines.screens.flags import stale_screen
    from policies.configuration.flags.staleness import stale as stale_of

    declared = _declared(ctx, environment, ref)
    since = unchanged_since(current(ctx).settings.folder, declared)
    found = stale_of(declared.flags, since, declared.services, now=datetime.now(UTC), fixed_days=fixed_days)
    current(ctx).output.result(found, stale_screen(environment, found))
    leave(ExitCode.FAILED if found else ExitCode.OK)


@app.command("export", short_help="Print the flags for flagd.")
def export(ctx: typer.Context, environment: Environment, ref: Ref = None) -> None:
    """Print the flag definition that flagd and its clients read, as it is delivered in flags.flagd.json.

    \b
    Examples:
      adx flags export production > flags.flagd.json
      flagd start --uri file:flags.flagd.json
    """
    from policies.configuration.flags.wire import flagd_document

    declared = _declared(ctx, environment, ref)
    current(ctx).output.json(flagd_document(environment, declared.flags))


@app.command("serve", short_help="Serve the flags over HTTP (OFREP).")
def serve(
    ctx: typer.Context,
    environment: Environment,
    *,
    listen: Annotated[
        str, typer.Option(envvar="ADX_FLAGS_LISTEN", help="Address to listen on; port 0 picks one.")
    ] = "127.0.0.1:8016",
    token_file: Annotated[
        Path | None, typer.Option(envvar="ADX_FLAGS_TOKEN_FILE", help="File with the token that callers must send.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Serve this flags.json instead of what is in Git.")
    ] = None,
    ref: Annotated[str | None, typer.Option(help="Serve this branch, tag or commit, whatever is delivered.")] = None,
) -> None:
    """Serve the flags of an environment: OFREP at /ofrep/v1, flagd's document at /flags.flagd.json.

    The flags are those at the commit that was delivered last, as the ledger knows it; a delivery is noticed within
    seconds. Ends on SIGTERM or Ctrl-C. Beyond this machine a token is required.

    \b
    Examples:
      adx flags serve production
      adx flags serve development --ref HEAD --listen 127.0.0.1:0
      adx flags serve production --listen 0.0.0.0:8016 --token-file /run/secrets/flags-token
    """
    from pipelines.flags.serving import checked_token
    from pipelines.flags.serving import serve as run

    if file is not None and ref is not None:
        raise typer.BadParameter("give --file or --ref, not both")
    token, invocation = checked_token(listen, token_file), current(ctx)

    async def served() -> None:
        async with _source(invocation, environment, file, ref) as look:
            await run(look, listen, token, invocation.output.say)

    asyncio.run(served())


@asynccontextmanager
async def _source(invocation: Invocation, environment: str, file: Path | None, ref: str | None) -> AsyncIterator[Next]:
    """Where the flags come from; what it takes to look there is open for as long as the block runs."""
    from pipelines.flags.serving import from_commits, from_file

    folder = invocation.settings.folder
    if file is not None:
        yield from_file(file)
    elif ref is not None:

        async def at_ref() -> str | None:
            from policies.git_tree import resolve_ref

            return resolve_ref(folder, ref)

        yield from_commits(folder, environment, at_ref)
    else:
        from pipelines.cli.connections import ledger
        from workflows.ledger import environments

        async with ledger(invocation.settings) as opened:

            async def delivered() -> str | None:
                found = await environments.find(opened, environment)
                return found.delivered_commit if found is not None else None

            yield from_commits(folder, environment, delivered)


def _declared(ctx: typer.Context, environment: str, ref: str | None) -> DeclaredFlags:
    from pipelines.flags.declared import declared_flags

    return declared_flags(current(ctx).settings.folder, environment, ref)


def _attributes(tenant: str | None, attributes: list[str] | None) -> dict[str, object]:
    found: dict[str, object] = {} if tenant is None else {"tenant": tenant}
    for text in attributes or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter("--attr takes NAME=VALUE")
        found[name] = value
    return found


def _time(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("--at takes a date and time, such as 2026-12-01T08:00Z") from error
    if at.tzinfo is None:
        raise typer.BadParameter("--at needs a zone: add Z for UTC, or an offset such as +01:00")
    return at.timestamp()


def _note(ctx: typer.Context, flag: str, environment: str, tenant: str | None, ref: str | None) -> str:
    """That a tenant has the flag switched for its own workloads; empty when it has not."""
    if tenant is None:
        return ""
    from pipelines.flags.declared import override_of

    switched = override_of(current(ctx).settings.folder, tenant, environment, flag, ref)
    if switched is None:
        return ""
    return f"{tenant} overrides it: {'on' if switched else 'off'} for workloads in its own namespace"
