"""`adx import`: declarations proposed from a running namespace."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.importing.importing import Wish
    from pipelines.importing.model import Imported

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?\Z")
_LONGEST = {"--env": 20, "--tenant": 40, "--owner": 40, "--into": 63}


def import_(
    ctx: typer.Context,
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="The namespace to read; nothing is changed.")],
    *,
    environment: Annotated[str, typer.Option("--env", metavar="ENV", help="The environment that it is to become.")],
    context: Annotated[
        str | None, typer.Option("--context", metavar="NAME", help="Of the kubeconfig; else ADX_KUBE_CONTEXT.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Read it as the namespace of this tenant of ENV.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="TEAM", help="Who owns what has no label owner or team.")
    ] = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="NAMESPACE", help="The namespace that a new ENV is to have.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write the files below DIR, instead of showing them.")
    ] = None,
) -> None:
    """Propose declarations from what runs in a namespace. Reads only, and no Secret.

    Proposes services.yaml and configuration.yaml of ENV, with environment.yaml and flags.yaml where the repository has
    none. What declarations cannot express, what is guessed and what ADX does otherwise stands in the table and as a
    comment above the line it is about. Exit status 3 when the repository (with --write: DIR) would not be valid with
    the files in it, 6 when there is no such namespace.

    \b
    Examples:
      adx import shop --env production --context prod --write .
      adx import shop --env production --owner team-shop --json
      adx import shop-acme --env production --tenant acme
    """
    from pipelines.importing.checking import write
    from pipelines.importing.importing import Wish
    from pipelines.screens.importing import import_screen

    _check_names({"--env": environment, "--tenant": tenant, "--owner": owner, "--into": into})
    invocation = current(ctx)
    wish = Wish(namespace, environment, invocation.settings.folder, tenant, owner, into, folder)
    found = asyncio.run(_import(invocation, wish, context))
    if folder is not None:
        write(folder, found.files)
    invocation.output.result(found, import_screen(found, folder))
    if found.problems:
        raise typer.Exit(int(ExitCode.DECLARATIONS_INVALID))


import_.__name__ = "import"  # the command's name, which Python keeps for itself


def _check_names(names: dict[str, str | None]) -> None:
    for option, name in names.items():
        if name is not None and not (_NAME.match(name) and len(name) <= _LONGEST[option]):
            what = f"{name!r} is no name: lower-case letters, digits and hyphens, at most {_LONGEST[option]}"
            raise typer.BadParameter(what, param_hint=option)


async def _import(invocation: Invocation, wish: Wish, context: str | None) -> Imported:
    from pipelines.importing.importing import imported
    from pipelines.importing.reading import NamespaceReader

    settings = invocation.settings
    # A context that was named is looked for where kubectl looks; the settings' own cluster is in their own file.
    paths = os.environ.get("KUBECONFIG") if context else settings.optional("KUBECONFIG")
    async with await NamespaceReader.connect(paths, context or settings.required("ADX_KUBE_CONTEXT")) as reader:
        return await imported(wish, reader)
