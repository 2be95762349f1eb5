"""``python -m scripts.example``: writes docs/pull-request-comment.md, a real comment on a real pull request.

Starts a local stack in a temporary home, delivers this repository's sample of
one environment to it, proposes a change, previews it, and ends the stack.
Nothing is written when any of it fails.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.errors import ScriptError
from scripts.example.adx import Adx, console
from scripts.example.page import MARKDOWN, PREVIEW, TARGET, page
from scripts.example.proposal import ENVIRONMENT, declare_waves, propose, take_time
from scripts.example.repository import ROOT, Repository


def main() -> int:
    """Write the page; 1 with a message when it could not be made."""
    try:
        with tempfile.TemporaryDirectory(prefix="adx-example-") as folder:
            text = _made(Path(folder))
    except ScriptError as error:
        console.print(f"{error}; {error.next_step}", markup=False, style="red")
        return 1
    TARGET.write_text(text, "utf-8")
    console.print(f"written: {TARGET.relative_to(ROOT)}")
    return 0


def _made(folder: Path) -> str:
    """The page, made in ``folder``; what was started there has ended. Raises ExampleFailed."""
    repository = Repository(folder / "repository")
    repository.create()
    declare_waves(repository)
    adx = Adx(folder / "home", repository)
    try:
        adx.run("up")
        adx.run("deploy", ENVIRONMENT, "--watch")
        take_time(repository)
        propose(repository)
        return page(adx.run(*MARKDOWN), adx.run(*PREVIEW))
    finally:
        adx.run("down")


if __name__ == "__main__":
    sys.exit(main())
