"""What `adx validate` found, as text for people, as JSON for scripts, as annotations for GitHub. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from policies.errors import Problem
from policies.spec import Spec

if TYPE_CHECKING:  # rich costs more than the validation of a small repository
    from rich.text import Text

_WINDOW_MARGIN = 8


class Report(Spec):
    """What was looked at and what was found.

    ``source_lines[file][line]`` is the line as it may be shown; ``commit`` is
    None for a folder.
    """

    source: str
    commit: str | None
    files: int
    problems: tuple[Problem, ...] = ()
    source_lines: Mapping[str, Mapping[int, str]] = {}

    @property
    def summary(self) -> str:
        """One sentence."""
        where = f"{self.source} at {self.commit[:12]}" if self.commit else self.source
        if not self.problems:
            return f"{_counted(self.files, 'declaration')} in {where}: all valid"
        files = len({problem.file for problem in self.problems})
        return f"{_counted(len(self.problems), 'problem')} in {_counted(files, 'file')} of {where}"


def to_json(report: Report) -> str:
    """One object: ``valid``, ``commit``, ``files`` (how many were looked at), ``problems``."""
    problems = [{name: getattr(problem, name) for name in Problem.__struct_fields__} for problem in report.problems]
    body = {"valid": not problems, "commit": report.commit, "files": report.files, "problems": problems}
    return msgspec.json.encode(body).decode() + "\n"


def to_github(report: Report) -> str:
    """One workflow command for each problem, and the summary."""
    return "".join(f"{_command(problem)}\n" for problem in report.problems) + f"{_inert(report.summary)}\n"


def to_text(report: Report, width: int = 80) -> Text:
    """Problems grouped by file, each with its line of the source and a caret, at most ``width`` columns wide."""
    from rich.text import Text  # noqa: PLC0415 - see above

    text = Text()
    for file, problems in groupby(report.problems, key=lambda found: found.file):
        text.append(f"{file}\n", style="bold")
        for problem in problems:
            _append_problem(text, problem, report.source_lines.get(file, {}).get(problem.line, ""), width)
        text.append("\n")
    return text.append(f"{_inert(report.summary)}\n", style="bold red" if report.problems else "green")


def _append_problem(text: Text, problem: Problem, source: str, width: int) -> None:
    place = f"{problem.line}:{problem.column}" if problem.line else "whole file"
    at = f" ({problem.path})" if problem.path else ""
    text.append(_wrapped(f"{place}  {problem.what}{at}", "  ", "      ", width), style="red")
    if source.strip():
        gutter = f"  {problem.line:>5} | "
        line, caret = _window(source, problem.column - 1, width - len(gutter))
        text.append(gutter, style="dim").append(f"{line}\n")
        text.append(f"{'| ':>{len(gutter)}}", style="dim").append(f"{' ' * caret}^\n", style="bold red")
    text.append(_wrapped(f"{problem.fix}  [{problem.rule}]", "      = ", "        ", width), style="green")


def _window(source: str, caret: int, width: int) -> tuple[str, int]:
    """The part of ``source`` around ``caret`` that fits ``width``, and where the caret is in it."""
    source = _inert(source.replace("\t", " "))
    caret = min(caret, len(source))
    if len(source) <= width and caret < width:
        return source, caret
    start = max(0, min(caret - width + _WINDOW_MARGIN, len(source) - width))
    return source[start : start + width], caret - start


def _wrapped(sentence: str, first: str, rest: str, width: int) -> str:
    lines = textwrap.wrap(_inert(sentence), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return "".join(f"{line}\n" for line in lines)


def _inert(text: str) -> str:
    """``text`` that no CI takes for a command: GitHub looks for ``##[`` anywhere, for ``::`` at the beginning."""
    text = text.replace("##[", "## [")
    return f" {text}" if text.lstrip().startswith("::") else text


def _command(problem: Problem) -> str:
    properties = {"file": problem.file, "title": problem.rule}
    if problem.line:
        properties |= {"line": str(problem.line), "col": str(problem.column)}
    at = f" ({problem.path})" if problem.path else ""
    listed = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{_escaped(f'{problem.what}{at}: {problem.fix}')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
