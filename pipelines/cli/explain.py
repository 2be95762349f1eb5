"""`adx explain`: what a declaration becomes, who depends on it, what judges it, what was rolled out of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.explaining.model import Explanation
    from pipelines.problem_formats import Report


def explain(
    ctx: typer.Context,
    path: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="FILE, FILE:LINE, FILE#path.in.it, or an environment and a unit."),
    ],
    ref: Annotated[str | None, typer.Option(help="Read this branch, tag or commit, not the files as they are.")] = None,
) -> None:
    """Explain a declaration: its units and objects, who depends on it, its policies and its last rollouts.

    Without a ledger everything but the rollouts is told. Exit status 3 when the declarations are invalid, 6 when
    nothing is declared at PATH.

    \b
    Examples:
      adx explain tenants/acme.yaml
      adx explain environments/staging/services.yaml:42
      adx explain environments/staging/services.yaml#services.frontend
      adx explain environments/staging/flags.yaml#flags.gift-wrapping --ref main
      adx explain staging service/frontend --json
    """
    from pipelines.screens.explain import explain_screen

    invocation = current(ctx)
    explanation = _with_rollouts(invocation, _explained(invocation, path, ref))
    invocation.output.result(explanation, explain_screen(explanation))


def _explained(invocation: Invocation, words: list[str], ref: str | None) -> Explanation:
    """What the declarations say; ends the command when they are invalid."""
    import msgspec

    from pipelines.explaining.address import file_in, parse
    from pipelines.explaining.explain import broken, open_tree
    from pipelines.explaining.explain import explain as explained
    from policies.errors import DeclarationError

    folder, address = invocation.settings.folder, parse(words)
    if address.file:
        address = msgspec.structs.replace(address, file=file_in(folder, Path.cwd(), address.file))
    tree = open_tree(folder, ref)
    try:
        return explained(tree, address, " ".join(words))
    except DeclarationError as error:
        _write_problems(invocation, broken(tree, folder, address, error))
        raise typer.Exit(int(ExitCode.DECLARATIONS_INVALID)) from error


def _with_rollouts(invocation: Invocation, explanation: Explanation) -> Explanation:
    """What the ledger knows is told where it can be had; where not, why not."""
    import msgspec

    from policies.errors import AdxError

    if not explanation.units:
        return explanation
    try:
        return asyncio.run(_read_ledger(invocation, explanation))
    except AdxError as error:
        why = invocation.redactor.text(str(error)).partition("\n")[0]
        return msgspec.structs.replace(explanation, no_rollouts=why)


async def _read_ledger(invocation: Invocation, explanation: Explanation) -> Explanation:
    from pipelines.cli.connections import ledger
    from pipelines.explaining.records import with_rollouts

    async with ledger(invocation.settings) as opened:
        return await with_rollouts(explanation, opened)


def _write_problems(invocation: Invocation, report: Report) -> None:
    from pipelines.problem_formats import to_json, to_text

    if invocation.is_json:
        sys.stdout.write(to_json(report))
    else:
        invocation.output.console.print(
            to_text(report, min(invocation.output.console.width, 100)), end="", soft_wrap=True
        )
