"""`adx validate` and `adx diff`: what is declared, and what a commit would change."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave

if TYPE_CHECKING:
    from policies.change_set import ChangeSet


class Format(StrEnum):
    """How `adx validate` reports."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="The folder that holds environments/ and tenants/.")
    ] = None,
    ref: Annotated[
        str | None, typer.Option(help="Validate this branch, tag or commit instead of the files as they are.")
    ] = None,
    output_format: Annotated[
        Format | None, typer.Option("--format", "-f", help="text, json, or github for annotations in a pull request.")
    ] = None,
    report_to: Annotated[
        str | None, typer.Option("--report-to", metavar="HOST", help="With --ref: set adx/validate there (github).")
    ] = None,
) -> None:
    """Check every declaration: all errors at once, each with its place and what would be right.

    Exit status 0 when everything is right, 3 when it is not.

    \b
    Examples:
      adx validate
      adx validate ~/platform
      adx validate --ref origin/main
      adx validate --format github          in a workflow of GitHub Actions
    """
    from pipelines.validate import run

    invocation = current(ctx)
    chosen = output_format or (Format.JSON if invocation.is_json else Format.TEXT)
    place = folder or invocation.settings.folder
    code = run(place, ref, chosen.value)
    if report_to is not None:
        _report(invocation, report_to, place, ref or "HEAD", is_valid=not code)
    leave(code)


def _report(invocation: Invocation, host: str, folder: Path, ref: str, *, is_valid: bool) -> None:
    from pipelines.reporting import reporter_for
    from policies.git_tree import resolve_ref

    reporter = reporter_for(invocation, host, resolve_ref(folder, ref))
    reporter.ended("validate", is_valid, "every declaration is valid" if is_valid else "declarations are invalid")


def diff(
    ctx: typer.Context,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment, for example production.")],
    before: Annotated[str, typer.Argument(metavar="REF1", help="Branch, tag or commit to start from.")],
    after: Annotated[str, typer.Argument(metavar="REF2", help="Branch, tag or commit to end at.")] = "HEAD",
) -> None:
    """Show what changes in an environment between two commits: units, and every field before → after.

    Read from git objects: what is edited and not committed does not count. Declarations hold no secrets (`adx
    validate` refuses them), so none can show here.

    \b
    Examples:
      adx diff production main my-branch
      adx diff staging v1.3.0 v1.4.0 --json
      adx diff production HEAD~1
    """
    from pipelines.screens.diff import diff_screen

    change_set = _change_set(current(ctx), environment, before, after)
    current(ctx).output.result(change_set, diff_screen(change_set))


def _change_set(invocation: Invocation, environment: str, before: str, after: str) -> ChangeSet:
    from policies.change_set import diff as difference
    from policies.git_tree import GitTree
    from policies.incremental import resolve_commit

    folder = invocation.settings.folder
    old = resolve_commit(GitTree.open(folder, before), environment, None)
    # The old state is handed over, so that only what differs between the two commits is read again.
    new = resolve_commit(GitTree.open(folder, after), environment, old)
    return difference(old, new)
