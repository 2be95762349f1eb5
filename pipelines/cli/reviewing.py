"""`adx affected`, `policy`, `preview`, `comment`: what a pull request would do, for its reviewer."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.preview.report import Report

Base = Annotated[
    str, typer.Option("--base", metavar="REF", help="The branch to merge into.", show_default="what is delivered")
]
Head = Annotated[str, typer.Option("--head", metavar="REF", help="The branch, tag or commit to be merged.")]
Environments = Annotated[
    list[str] | None,
    typer.Option("--environment", "-e", metavar="ENV", help="Only this one; may be repeated.", show_default="affected"),
]
ReportTo = Annotated[str | None, typer.Option("--report-to", metavar="HOST", help="Set commit statuses there: github.")]


class Format(StrEnum):
    """How `adx preview` reports."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


def affected(ctx: typer.Context, *, base: Base = "main", head: Head = "HEAD") -> None:
    """List the environments that a pull request changes, for a matrix of jobs. Reads git alone.

    \b
    Examples:
      adx affected --base origin/main --head HEAD
      adx affected --base main --head my-branch --json
    """
    from pipelines.preview.changes import read

    invocation = current(ctx)
    names = read(invocation.settings.folder, base, head).affected()
    invocation.output.result(names, "\n".join(names) if names else "no environment changes")


def policy(
    ctx: typer.Context,
    *,
    base: Base = "main",
    head: Head = "HEAD",
    environments: Environments = None,
    report_to: ReportTo = None,
) -> None:
    """Check what a pull request would render against the policies of its base branch.

    Severities, waivers and your own checks are read from --base, so that no pull request is judged by its own edit.
    Exit status 0 when nothing blocks, 1 when something does.

    \b
    Examples:
      adx policy --base origin/main --head HEAD
      adx policy --head my-branch --environment production --json
    """
    from pipelines.cli.previewing import run_policy

    invocation = current(ctx)
    leave(run_policy(invocation, base, head, environments or [], report_to))


def preview(
    ctx: typer.Context,
    *,
    base: Base = "",
    head: Head = "HEAD",
    environments: Environments = None,
    output_format: Annotated[Format | None, typer.Option("--format", "-f", help="terminal, markdown or json.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write the report there, as JSON.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every property that differs.")] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the plans in the ledger, for environments that bind them.")
    ] = False,
    pull_request: Annotated[
        int | None, typer.Option("--pull-request", metavar="N", help="The pull request that is previewed.")
    ] = None,
    report_to: ReportTo = None,
) -> None:
    """Show what merging a branch would really do: in which environment, to which tenant, dangerous things first.

    The merge result is planned against the state of each affected environment; nothing is changed. Exit status 0 when
    nothing speaks against the merge, 1 when something blocks it or could not be checked.

    \b
    Examples:
      adx preview --base main --head my-branch
      adx preview --base origin/main --environment production --full
      adx preview --base main --head my-branch --format markdown > report.md
      adx preview --head main                    what is merged and not delivered yet
    """
    from pipelines.cli.previewing import PreviewRequest, run_preview

    invocation = current(ctx)
    chosen = output_format or (Format.JSON if invocation.is_json else Format.TERMINAL)
    request = PreviewRequest(
        base=base,
        head=head,
        environments=tuple(environments or ()),
        file=output,
        is_recorded=record,
        pull_request=pull_request,
        report_to=report_to,
    )
    report = asyncio.run(run_preview(invocation, request))
    _show(invocation, report, chosen, is_full=full)
    leave(ExitCode.OK if report.verdict == "ok" else ExitCode.FAILED)


def comment(
    ctx: typer.Context,
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT...", help="Reports that `adx preview --output` has written.")
    ],
    *,
    pull_request: Annotated[int, typer.Option("--pull-request", metavar="N", help="Its number.")],
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write the whole report there.")
    ] = None,
    artifact_url: Annotated[
        str, typer.Option("--artifact-url", metavar="URL", help="Where the whole report can be read.")
    ] = "",
) -> None:
    """Write the one comment of a pull request, or edit it in place; reports of several jobs are joined.

    \b
    Example:
      adx comment report-*.json --pull-request 42 --markdown report.md
    """
    from pipelines.cli.previewing import run_comment

    run_comment(current(ctx), reports, pull_request, markdown, artifact_url)


def _show(invocation: Invocation, report: Report, chosen: Format, *, is_full: bool) -> None:
    if chosen is Format.JSON:
        invocation.output.json(report)
    elif chosen is Format.MARKDOWN:
        from pipelines.preview.markdown import markdown

        typer.echo(markdown(report))
    else:
        from pipelines.screens.preview import preview_screen

        invocation.output.console.print(preview_screen(report, is_full=is_full))
