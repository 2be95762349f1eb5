"""Arguments and options that several commands have: said once, so that they are called the same everywhere."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment, for example production.")]
Ref = Annotated[str | None, typer.Option(help="Branch, tag or commit; without it the files as they are.")]
By = Annotated[
    str,
    typer.Option("--by", envvar="ADX_ACTOR", help="Who decides, for the audit trail.", show_default="the user name"),
]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]


def actor(by: str) -> str:
    """Who asks: ``--by``, ADX_ACTOR, or the user of this machine."""
    return by or getpass.getuser()
