"""`adx api`: the HTTP API of migrations and operations, and its tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.invocation import current

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Start and follow migrations over HTTP.",
)
TOKENS_FILE = "ADX_API_TOKENS_FILE"


@app.command(short_help="Run the HTTP API.")
def serve(
    ctx: typer.Context,
    *,
    listen: Annotated[str, typer.Option(envvar="ADX_API_LISTEN", help="Its address.")] = "127.0.0.1:8791",
) -> None:
    """Serve migrations and operations over HTTP. The document is at /openapi.json, the probes at /healthz and /readyz.

    Callers are known by tokens, whose digests are in the file that ADX_API_TOKENS_FILE names. Without it only this
    machine is answered; another address is refused. Ends on SIGTERM or Ctrl-C, after the requests under way.

    \b
    Examples:
      adx api serve
      ADX_API_TOKENS_FILE=/etc/adx/tokens.json adx api serve --listen 0.0.0.0:8791      with TLS in front of it
    """
    from pipelines.api.serving import serve as run
    from workflows.telemetry import logs

    invocation = current(ctx)
    logs.configure("api", redactor=invocation.redactor, level="DEBUG" if invocation.verbose else "INFO")
    asyncio.run(run(invocation.settings, listen, invocation.redactor))


@app.command(short_help="Make a token and show it once.")
def token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is, for logs and the ledger.")],
    *,
    role: Annotated[
        Literal["read", "migrate", "admin"],
        typer.Option(help="read: look at operations; migrate: start them too; admin: stop them too."),
    ] = "read",
    environment: Annotated[list[str] | None, typer.Option(help="Only this environment; may be repeated.")] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="Only this tenant; may be repeated.")] = None,
    file: Annotated[
        Path | None, typer.Option(envvar=TOKENS_FILE, help="Add its digest to this file; left out: print it.")
    ] = None,
) -> None:
    """Make a token. It is printed once and kept nowhere; the file holds its digest.

    A running server reads the file again. To take a token away, delete its entry.

    \b
    Examples:
      adx api token ci --role migrate --environment staging --file tokens.json
      adx api token grafana
    """
    from pipelines.api.tokens import add_to_file, made

    invocation = current(ctx)
    secret, caller = made(name, role, environment or (), tenant or ())
    if file is not None:
        add_to_file(file, caller)
        invocation.output.say(f"its digest is in {file}; the token, shown once:")
    else:
        invocation.output.say(f"the entry for the file that {TOKENS_FILE} names: {_entry(caller)}")
        invocation.output.say("the token, shown once:")
    invocation.output.result({"token": secret, "entry": caller}, secret)


@app.command(short_help="Print the OpenAPI document.")
def document(
    ctx: typer.Context,
    *,
    write: Annotated[Path | None, typer.Option(help="Write it into this file instead.")] = None,
) -> None:
    """Print the OpenAPI document of the API.

    \b
    Examples:
      adx api document
      adx api document --write docs/api/openapi.json       after a change of the API
    """
    from pipelines.api.app import document_text

    text = document_text()
    if write is None:
        typer.echo(text, nl=False)
        return
    write.parent.mkdir(parents=True, exist_ok=True)
    write.write_text(text, "utf-8")
    current(ctx).output.say(f"written to {write}")


def _entry(caller: object) -> str:
    import msgspec

    return msgspec.json.encode(caller).decode()
