"""`adx init`: a new GitOps repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.invocation import Invocation, current

DEFAULT_ENVIRONMENTS = ("development", "production")


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one that is not there yet.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Begins the names of namespaces.", show_default="DIR's")
    ] = None,
    environments: Annotated[
        list[str] | None,
        typer.Option(
            "--environment",
            "-e",
            metavar="ENV",
            help="May be repeated, in the order of promotion.",
            show_default=", ".join(DEFAULT_ENVIRONMENTS),
        ),
    ] = None,
    schemas: Annotated[
        bool, typer.Option("--schemas", help="Only write schemas/ of an existing repository anew, after an upgrade.")
    ] = False,
) -> None:
    """Make a new GitOps repository that is delivered by the ADX that is installed.

    It is valid at once, with one service and one tenant to begin with. Nothing is committed, and nothing that is there
    is overwritten: a folder that is not empty is refused (but for .git, so that an empty clone will do).

    \b
    Examples:
      adx init platform
      adx init ~/shop --name shop --environment staging --environment production
      adx init . --schemas
    """
    from importlib.metadata import version

    from pipelines.adoption.files import NewRepository
    from pipelines.adoption.sources import schemas as schema_files
    from pipelines.adoption.writing import create, renew

    invocation, place = current(ctx), folder.expanduser().resolve()
    if schemas:
        renew(place, schema_files())
        _tell(invocation, place, list(schema_files()), ())
        return
    wanted = NewRepository(name or _name_of(place), tuple(environments or DEFAULT_ENVIRONMENTS), version("adx"))
    files = wanted.files()
    git_init = () if create(place, files) else ("git init --initial-branch=main",)
    steps = (*git_init, "git add --all && git commit --message Begin", "adx up")
    _tell(invocation, place, list(files), (f"cd {place}", *steps, f"adx deploy {wanted.environments[0]} --watch"))


def _name_of(folder: Path) -> str:
    """The folder's name as names are written."""
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")


def _tell(invocation: Invocation, folder: Path, files: list[str], next_steps: tuple[str, ...]) -> None:
    if invocation.is_json:
        invocation.output.json({"folder": str(folder), "files": files, "next_steps": next_steps})
        return
    from pipelines.output import plain

    lines = [f"{folder}: {len(files)} files written", *(["next:"] if next_steps else [])]
    for line in (*lines, *(f"  {step}" for step in next_steps)):
        invocation.output.console.print(plain(line), soft_wrap=True)
