"""Which file declares what, by its path alone, and which files have no place where they are. Pure.

::

    environments/<environment>/{environment,services,configuration,flags}.yaml
    environments/<environment>/migrations.yaml              may be left out
    infra/databases/<database>/…          scripts, see ``policies.migrations.script_files``
    environments/Pulumi.<stack>.yaml      Pulumi's own, no declaration
    tenants/<tenant>.yaml
    README.md                             in any of these folders, no declaration
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from policies.errors import Problem
from policies.findings import nearest
from policies.migrations.model import FOLDER as SCRIPTS
from policies.schemas import KINDS, Kind
from policies.spec import Spec
from policies.tree import FOLDERS, MODE_SUBMODULE, MODE_SYMLINK, Entry

MAX_ENVIRONMENT_NAME = 20
MAX_TENANT_NAME = 40
ENVIRONMENT_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "tenant")
REQUIRED_KINDS: tuple[Kind, ...] = tuple(kind for kind in ENVIRONMENT_KINDS if kind != "migrations")

_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?\Z")
_PULUMI = re.compile(r"environments/Pulumi\.[A-Za-z0-9-]+\.yaml\Z")
_README = re.compile(r"(?:environments(?:/[^/]+)?|tenants)/README\.md\Z")
_NAME_RULE = "lower-case letters, digits and hyphens, beginning with a letter"
_ENVIRONMENT_FILES = f"environments/<environment>/<kind>.yaml (kind: {', '.join(ENVIRONMENT_KINDS)})"
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class Declared(Spec):
    """A file that is a declaration: its kind and the name (of environment or tenant) that its path gives it."""

    path: str
    kind: Kind
    name: str


class Layout(Spec):
    """What the paths of a tree say: declarations and files of databases in the order of paths, and what is wrong."""

    declared: tuple[Declared, ...]
    problems: tuple[Problem, ...]
    scripts: tuple[str, ...] = ()


def layout_of(entries: Mapping[str, Entry]) -> Layout:
    """Sort ``entries`` into declarations, files to be left alone, and problems."""
    declared: list[Declared] = []
    problems: list[Problem] = []
    scripts: list[str] = []
    for path, entry in entries.items():
        wrong = _wrong_entry(entry)
        found = None if wrong is not None else declaration_at(path)
        if wrong is not None:
            problems.append(wrong)
        elif found is not None:
            declared.append(found)
        elif path.startswith(f"{SCRIPTS}/"):
            scripts.append(path)
        elif not _is_left_alone(path):
            problems.append(_unknown(path))
    problems += [*_case_problems(entries), *_missing(declared)]
    return Layout(declared=tuple(declared), problems=tuple(problems), scripts=tuple(scripts))


def declaration_at(path: str) -> Declared | None:
    """What the file at ``path`` declares; None when it is no declaration or has a name that is not allowed."""
    match path.split("/"):
        case ["tenants", file] if _is_name(name := file.removesuffix(".yaml"), MAX_TENANT_NAME) and name != file:
            return Declared(path=path, kind="tenant", name=name)
        case ["environments", name, file] if _is_name(name, MAX_ENVIRONMENT_NAME):
            for kind in ENVIRONMENT_KINDS:
                if file == f"{kind}.yaml":
                    return Declared(path=path, kind=kind, name=name)
    return None


def problem(file: str, what: str, fix: str, rule: str) -> Problem:
    """A problem of the whole file; its name is shown without control characters."""
    return Problem(file=shown_path(file), line=0, column=0, path="", what=what, fix=fix, rule=rule)


def shown_path(path: str) -> str:
    """``path`` for messages: what is not printable ASCII is escaped, so that it can neither hide nor deceive."""
    return _UNPRINTABLE.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), path)


def _wrong_entry(entry: Entry) -> Problem | None:
    """What is wrong with a file before anybody looks into it."""
    kind = entry.mode & 0o170000
    if kind == MODE_SYMLINK:
        return problem(entry.path, "this is a symbolic link", "put the file itself here", "tree.symlink")
    if kind == MODE_SUBMODULE:
        what = "this is a submodule (or another repository)"
        return problem(entry.path, what, "put the files themselves here", "tree.submodule")
    if not entry.is_file():
        return problem(entry.path, "this is no regular file", "remove it", "tree.special-file")
    parts = entry.path.split("/")
    if entry.path.startswith("/") or any(part in {"", ".", ".."} for part in parts) or "\\" in entry.path:
        return problem(entry.path, "the path leads out of its folder", "rename the file", "tree.path")
    if _UNPRINTABLE.search(entry.path):
        what = "the name holds characters that are not printable ASCII"
        return problem(entry.path, what, f"use {_NAME_RULE}", "tree.path")
    return None


def _is_name(name: str, max_length: int) -> bool:
    return len(name) <= max_length and _NAME.match(name) is not None


def _is_left_alone(path: str) -> bool:
    return bool(_PULUMI.match(path) or _README.match(path))


def _unknown(path: str) -> Problem:
    """A file that has no place: with the nearest name that would have one."""
    parts = path.split("/")
    if parts[0] == "tenants" and len(parts) == 2 and path.endswith(".yaml"):
        what = f"{parts[1].removesuffix('.yaml')!r} is no name for a tenant"
        return problem(path, what, f"use {_NAME_RULE}, at most {MAX_TENANT_NAME}", "tree.name")
    if parts[0] == "environments" and len(parts) == 3 and not _is_name(parts[1], MAX_ENVIRONMENT_NAME):
        what = f"{parts[1]!r} is no name for an environment"
        return problem(path, what, f"use {_NAME_RULE}, at most {MAX_ENVIRONMENT_NAME}", "tree.name")
    known = [f"{kind}.yaml" for kind in ENVIRONMENT_KINDS]
    match = nearest(parts[-1], known) if len(parts) == 3 and parts[0] == "environments" else None
    if match is not None and f"environments/{parts[1]}/{match}" != path:
        fix = f"rename it to {match}, or remove it"
    elif parts[0] == "tenants" and len(parts) == 2 and path.endswith(".yml"):
        fix = f"rename it to {parts[1].removesuffix('.yml')}.yaml"
    else:
        fix = f"remove it; known are {_ENVIRONMENT_FILES} and tenants/<tenant>.yaml"
    return problem(path, "no declaration has this name", fix, "tree.unknown-file")


def _case_problems(entries: Iterable[str]) -> Iterator[Problem]:
    """Names that some file systems cannot keep apart."""
    first: dict[str, str] = {}
    for path in entries:
        other = first.setdefault(path.casefold(), path)
        if other != path:
            what = f"the name differs from {shown_path(other)} only in case"
            yield problem(path, what, "rename one of the two", "tree.case")


def _missing(declared: list[Declared]) -> Iterator[Problem]:
    """Documents that an environment must have, and the environments themselves."""
    by_environment: dict[str, set[Kind]] = {}
    for one in declared:
        if one.kind != "tenant":
            by_environment.setdefault(one.name, set()).add(one.kind)
    for name, kinds in by_environment.items():
        for kind in REQUIRED_KINDS:
            if kind not in kinds:
                what = f"the environment {name} has no {kind}.yaml"
                yield problem(f"environments/{name}/{kind}.yaml", what, "write it", "tree.missing-file")
    if not by_environment:
        what = "there is no environment"
        fix = f"write {_ENVIRONMENT_FILES}, or name the right folder"
        yield problem(FOLDERS[0], what, fix, "tree.no-environment")
