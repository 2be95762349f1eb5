"""`adx init`: a new GitOps repository."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.invocation import Invocation, current

DEFAULT_ENVIRONMENTS = ("development", "production")


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one that is not there yet.")],
    *,
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
    package: Annotated[
        str,
        typer.Option(
            metavar="WHEEL",
            help="Your wheel of ADX: its path, https://…whl#sha256=…, or 'adx==VERSION --index-url URL'.",
            show_default="asked for in requirements.in",
        ),
    ] = "",
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
      adx init platform --package dist/adx-0.1.0-py3-none-any.whl
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
    names = tuple(environments or DEFAULT_ENVIRONMENTS)
    wanted = NewRepository(name or _name_of(place), names, version("adx"), package)
    files = wanted.files()
    created = create(place, files)
    git_init = () if created.is_repository else ("git init --initial-branch=main",)
    steps = (*git_init, "git add --all && git commit --message Begin", "adx up", f"adx deploy {names[0]} --watch")
    _tell(invocation, place, list(files), (f"cd {shlex.quote(str(place))}", *steps), created.within)


def _name_of(folder: Path) -> str:
    """The folder's name as names are written."""
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")


def _tell(
    invocation: Invocation, folder: Path, files: list[str], next_steps: tuple[str, ...], within: Path | None = None
) -> None:
    if invocation.is_json:
        told = {"folder": str(folder), "files": files, "within": within and str(within), "next_steps": next_steps}
        invocation.output.json(told)
        return
    from pipelines.output import plain

    around = [f"it lies in the git repository {within}, and is one of its own: do not add it there"] if within else []
    lines = [f"{folder}: {len(files)} files written", *around, *(["next:"] if next_steps else [])]
    for line in (*lines, *(f"  {step}" for step in next_steps)):
        invocation.output.console.print(plain(line), soft_wrap=True)
