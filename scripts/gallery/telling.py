"""One pull request told: its history made anew, its report by what was recorded, and both texts."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines.preview.changes import read
from pipelines.preview.markdown import markdown
from pipelines.preview.report import Report
from pipelines.screens.preview import preview_screen
from policies.desired_state import DesiredState
from scripts.example.adx import WIDTH
from scripts.example.repository import Repository
from scripts.gallery.facts import delivered_of, facts_of, report_of
from scripts.gallery.scenes import BASE, Scene, proposed

_NOT_IN_A_DIFF = re.compile(
    r"^(?:diff --git|index |similarity index|new file mode|deleted file mode).*\n", re.MULTILINE
)
_WITHOUT_SUMS = ":(exclude)*/adx.sum"  # digests of the scripts that are shown


@dataclass(frozen=True)
class Told:
    """``diff`` is what the branch changes, ``comment`` Markdown, ``terminal`` text of 80 columns.

    ``states`` are what each environment is now and after the merge.
    """

    report: Report
    diff: str
    comment: str
    terminal: str
    states: Mapping[str, tuple[DesiredState | None, DesiredState | None]]


def tell(scene: Scene, folder: Path) -> Told:
    """``scene``, whose repository is made in the empty ``folder``. Raises ExampleFailed, FileNotFoundError."""
    repository = proposed(scene, folder)
    change, facts = read(repository.work, BASE, scene.branch), facts_of(scene)
    report = report_of(scene, change, facts)
    states = {name: (delivered_of(change, name), change.of(name).after) for name in change.affected()}
    return Told(report, diff_of(scene, repository), markdown(report), drawn(report), states)


def diff_of(scene: Scene, repository: Repository) -> str:
    """What the branch changes, with one line around each place."""
    diff = repository.git("diff", "--unified=1", "--find-renames", f"{BASE}...{scene.branch}", "--", ".", _WITHOUT_SUMS)
    return _NOT_IN_A_DIFF.sub("", f"{diff}\n").strip("\n")


def drawn(report: Report) -> str:
    """What `adx preview` prints at 80 columns, without colours."""
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, highlight=False, markup=False, emoji=False).print(preview_screen(report))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
