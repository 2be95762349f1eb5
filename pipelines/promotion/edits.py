"""The files of the target after a promotion: only the lines that change. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.promotion.model import Change, Kind
from policies.errors import AdxError
from policies.findings import environment_file
from policies.yaml_edit import NotEditable, Path, put, remove
from policies.yaml_reader import read


class FileNotEditable(AdxError):
    """A declaration of the target is written so that it cannot be edited safely."""


def edited(environment: str, files: Mapping[Kind, str], changes: Iterable[Change]) -> dict[str, str]:
    """The text of every file that changes, by its path in the repository. ``files`` are those of the target by kind.

    Raises FileNotEditable naming file, line and column.
    """
    texts: dict[Kind, str] = dict(files)
    for change in changes:
        try:
            texts[change.kind] = _changed(texts[change.kind], change)
        except NotEditable as error:
            file = environment_file(environment, change.kind)
            place = f"{file}:{error.line}:{error.column}" if error.line else file
            raise FileNotEditable(
                f"{place} cannot be edited: {error.what}", next_step=error.next_step or "edit it by hand"
            ) from error
    return {environment_file(environment, kind): text for kind, text in texts.items() if text != files[kind]}


def diff_of(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A unified diff of the files in ``after``."""
    lines: list[str] = []
    for path in sorted(after):
        old, new = before[path].splitlines(keepends=True), after[path].splitlines(keepends=True)
        lines += difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _changed(text: str, change: Change) -> str:
    if change.kind == "configuration":
        return _put(text, ("values", *change.path), change.after)
    name, *rest = change.path
    items = read(text.encode())[change.kind]
    index = next((number for number, one in enumerate(items) if one["name"] == name), len(items))
    if change.kind == "services":
        return _put(text, (change.kind, index, *rest), change.after)
    return put(text, (change.kind, index), {"name": name, **change.after})


def _put(text: str, path: Path, value: Any) -> str:
    return remove(text, path) if value is None else put(text, path, value)
