"""The command line as a whole: which commands there are, in which order and groups, and the global options.

Imports here cost every command its start: whatever is heavy is imported by
the function that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from pipelines.cli import (
    api,
    config,
    declarations,
    drift,
    explain,
    flags,
    fleet,
    importing,
    init,
    migrate,
    processes,
    promote,
    records,
    resuming,
    reviewing,
    rollouts,
    services,
    stack,
    watch,
)
from pipelines.cli.group import AdxGroup
from pipelines.cli.invocation import Invocation
from pipelines.exit_codes import help_text

COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (init.init, "Make a new GitOps repository."),
    (importing.import_, "Propose declarations of what runs."),
    (declarations.validate, "Check every declaration."),
    (declarations.diff, "Show what changes between two commits."),
    (explain.explain, "Explain a declaration and its effects."),
    (reviewing.preview, "Show what merging a branch would do."),
    (reviewing.policy, "Check a branch against the policies."),
    (reviewing.affected, "List the environments a branch changes."),
    (reviewing.comment, "Keep a pull request's one comment."),
    (stack.up, "Start the local stack."),
    (stack.down, "End the local stack; its data stays."),
    (stack.status, "Show the stack and the environments."),
    (stack.logs, "Print the log of a part of the stack."),
    (stack.env, "Print the settings for a shell."),
    (stack.doctor, "List every external tool."),
    (rollouts.deploy, "Deliver a commit to environments."),
    (promote.promote, "Propose what another environment has."),
    (rollouts.rollback, "Bring an environment back to a commit."),
    (rollouts.cancel, "Stop the rollout under way, restore."),
    (rollouts.approve, "Agree to the plan that waits for it."),
    (rollouts.restore, "Try a failed restore again."),
    (resuming.resume, "After a lost Temporal: what is known."),
    (fleet.fleet, "Steer the waves of a running rollout."),
    (watch.watch, "Show running rollouts live."),
    (drift.drift, "Compare the cluster with what was delivered."),
    (records.history, "List rollouts, or one unit's history."),
    (records.show, "Show one rollout in full."),
    (records.verify_audit, "Check the audit trail's chain."),
    (processes.worker, "Run a worker."),
    (processes.webhook, "Run the receiver of GitHub's events."),
)

EPILOG = f"""\b
Every command takes --repo, --json and --verbose, before or after its name.

\b
Exit status:
{help_text()}
"""


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        typer.echo(f"adx {version('adx')}")
    except PackageNotFoundError:
        typer.echo("adx (not installed)")
    raise typer.Exit


def options(
    ctx: typer.Context,
    repo: Annotated[
        str | None,
        typer.Option("--repo", metavar="PATH", help="Another repository with environments/ and tenants/."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Results as JSON on stdout, errors as JSON on stderr.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tracebacks of defects; debug lines in logs.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """ADX delivers what a git repository declares, and restores it when that goes wrong.

    \b
    A first day:
      adx up                          start the local stack
      adx validate                    check environments/ and tenants/
      adx diff staging main HEAD      what the commit at hand would change
      adx deploy staging --watch      deliver the newest commit, step by step
      adx history staging             what happened
      adx down                        end the stack
    """
    ctx.obj = Invocation(repository=repo, is_json=as_json, verbose=verbose)


def build() -> typer.Typer:
    """The Typer application with every command."""
    app = typer.Typer(
        cls=AdxGroup,
        callback=options,
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help: starts 60 ms sooner, and examples keep their lines
        pretty_exceptions_enable=False,  # they would print local variables, secrets among them
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    for command, summary in COMMANDS:
        app.command(short_help=summary)(command)
    app.add_typer(services.app, name="services", short_help="Services: versions, and what fits.")
    app.add_typer(flags.app, name="flags", short_help="Feature flags: who gets what, and why.")
    app.add_typer(migrate.migrate, name="migrate", short_help="Database migrations.")
    app.add_typer(config.app, name="config", short_help="Read and change configuration.")
    app.add_typer(api.app, name="api", short_help="Migrations over HTTP.")
    return app
