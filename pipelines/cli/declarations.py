"""`adx validate` and `adx diff`: what is declared, and what a commit would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from policies.change_set import ChangeSet


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
    from policies.incremental import resolve_commit

    from policies.change_set import diff as difference
    from policies.git_tree import GitTree

    folder = invocation.settings.folder
    old = resolve_commit(GitTree.open(folder, before), environment, None)
    # The old state is handed over, so that only what differs between the two commits is read again.
    new = resolve_commit(GitTree.open(folder, after), environment, old)
    return difference(old, new)
