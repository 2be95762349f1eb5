"""`adx validate`: look at every declaration of a folder or a commit and report everything that is wrong."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Literal, TextIO, get_args

from pipelines.exit_codes import ExitCode
from pipelines.problem_formats import Report, to_github, to_json, to_text
from pipelines.source_lines import shown_lines
from policies.errors import DeclarationError, Problem
from policies.git_tree import FolderTree, GitTree
from policies.loader import load
from policies.tree import Tree
from policies.tree_layout import layout_of
from policies.yaml_text import MAX_FILE_BYTES

Format = Literal["text", "json", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)


def run(folder: Path, ref: str | None = None, output_format: Format = "text", output: TextIO | None = None) -> ExitCode:
    """Validate and write the report to ``output`` (stdout); OK or DECLARATIONS_INVALID.

    Raises AdxError when the folder or commit cannot be read at all.
    """
    report = validate(folder, ref)
    _write(report, output_format, output or sys.stdout)
    return ExitCode.DECLARATIONS_INVALID if report.problems else ExitCode.OK


def validate(folder: Path, ref: str | None = None) -> Report:
    """Everything wrong with the declarations of ``folder`` as they are, or as the commit ``ref`` has them.

    A bare repository has no files to look at, so its HEAD is looked at.
    Raises AdxError (of git, or of the folder) when they cannot be read at all.
    """
    if ref is None and _is_bare_repository(folder):
        ref = "HEAD"
    tree: Tree = FolderTree(folder) if ref is None else GitTree.open(folder, ref)
    files = len(layout_of(tree.entries()).declared)
    try:
        load(tree)
    except DeclarationError as error:
        lines = source_lines(tree, error.problems)
        return Report(source=str(folder), commit=tree.commit, files=files, problems=error.problems, source_lines=lines)
    return Report(source=str(folder), commit=tree.commit, files=files)


def _is_bare_repository(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def source_lines(tree: Tree, problems: tuple[Problem, ...]) -> dict[str, dict[int, str]]:
    """The line of each problem as it may be shown, by file and number. ``problems`` are ordered by file."""
    entries = tree.entries()
    by_file = [
        (file, list(found))
        for file, found in groupby((problem for problem in problems if problem.line), key=lambda found: found.file)
        if file in entries and entries[file].size_bytes <= MAX_FILE_BYTES
    ]
    shown: dict[str, dict[int, str]] = {}
    for (file, found), data in zip(by_file, tree.read_many(file for file, _ in by_file), strict=True):
        wanted = {problem.line: False for problem in found}
        wanted |= {problem.line: True for problem in found if "is not known" in problem.what}
        shown[file] = shown_lines(data.decode("utf-8", "replace"), wanted)
    return shown


def _write(report: Report, output_format: Format, output: TextIO) -> None:
    if output_format == "json":
        output.write(to_json(report))
    elif output_format == "github":
        output.write(to_github(report))
    elif not report.problems:
        output.write(f"{report.summary}\n")
    else:
        from rich.console import Console  # noqa: PLC0415 - needed only when something is wrong

        console = Console(
            file=output, width=None if output.isatty() else 80, highlight=False, markup=False, emoji=False
        )
        console.print(to_text(report, min(console.width, 100)), end="", soft_wrap=True)
    output.flush()
