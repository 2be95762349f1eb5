"""The files under ``infra/databases/`` → the scripts of every database, or everything that is wrong with them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policies.errors import Problem
from policies.migrations.headers import Wrong
from policies.migrations.model import FOLDER, Direction, Migration, Script, ScriptSet, checksum_of
from policies.migrations.script_rules import read_script
from policies.migrations.spec import Engine
from policies.migrations.sums import FILE, Sums, differences, parse
from policies.yaml_text import MAX_FILE_BYTES

MAX_VERSION = 9999
_DATABASE = re.compile(r"[a-z](?:[a-z0-9_-]{0,38}[a-z0-9])?\Z")
_NAME = re.compile(r"(?P<version>[0-9]{4})_(?P<description>[a-z0-9]+(?:_[a-z0-9]+)*)\.(?P<direction>up|down)\.sql\Z")
_NAME_FIX = "name it NNNN_description.up.sql or NNNN_description.down.sql, in lower case"


class _Name(NamedTuple):
    version: int
    description: str
    direction: Direction


def is_left_alone(path: str) -> bool:
    """Whether ``path`` is a note for people."""
    return path.rpartition("/")[2] == "README.md"


def databases_of(files: Mapping[str, bytes]) -> tuple[dict[str, ScriptSet], list[Problem]]:
    """The scripts of every database that nothing is wrong with, and all problems, for files by path."""
    folders: dict[str, dict[str, bytes]] = {}
    problems: list[Problem] = []
    for path, data in sorted(files.items()):
        parts = path.removeprefix(f"{FOLDER}/").split("/")
        if is_left_alone(path):
            continue
        if len(parts) != 2 or not _DATABASE.match(parts[0]):
            what = "scripts are in a folder of their database"
            problems.append(_problem(path, Wrong(line=0, what=what, fix=_NAME_FIX, rule="migrations.file")))
            continue
        folders.setdefault(parts[0], {})[parts[1]] = data
    databases = {}
    for database, content in folders.items():
        found, wrong = script_set(database, content)
        problems += wrong
        if found is not None:
            databases[database] = found
    return databases, problems


def script_set(database: str, files: Mapping[str, bytes]) -> tuple[ScriptSet | None, list[Problem]]:
    """The scripts of one database from its folder's files by name, ``adx.sum`` among them, or what is wrong."""
    sums = parse(files[FILE].decode("utf-8", "replace")) if FILE in files else None
    if sums is None:
        what = "there is no adx.sum" if FILE not in files else "the first line names no engine"
        fix = "write `adx.sum/1 postgresql` or `adx.sum/1 mysql` as its first line, then run `adx migrate sum`"
        return None, [_in(database, FILE, Wrong(line=1, what=what, fix=fix, rule="migrations.sum"))]
    names, problems = _names(database, [name for name in files if name != FILE])
    problems += [_in(database, FILE, wrong) for wrong in sums.wrong]
    problems += _sum_problems(database, files, names, sums)
    problems += _gaps(database, names)
    scripts: dict[str, Script] = {}
    for name, known in names.items():
        found, wrongs = _script(database, name, files[name], sums.engine, known.direction)
        problems += [_in(database, name, wrong) for wrong in wrongs]
        if found is not None:
            scripts[name] = found
    problems += _down_problems(database, names, scripts)
    return (None, problems) if problems else (_assembled(database, sums.engine, names, scripts), [])


def checksums(files: Mapping[str, bytes]) -> dict[str, str]:
    """``{file: sha256:…}`` of the scripts among ``files``, in the order of versions, up before down."""
    names = sorted((name for name in files if _NAME.match(name)), key=lambda name: (name[:4], ".down." in name, name))
    return {name: checksum_of(files[name]) for name in names}


def _script(
    database: str, name: str, data: bytes, engine: Engine, direction: Direction
) -> tuple[Script | None, list[Wrong]]:
    if len(data) > MAX_FILE_BYTES:
        what = f"the script has more than {MAX_FILE_BYTES:,} bytes"
        return None, [Wrong(line=0, what=what, fix="split it", rule="migrations.text")]
    return read_script(f"{FOLDER}/{database}/{name}", data, engine, direction)


def _names(database: str, files: list[str]) -> tuple[dict[str, _Name], list[Problem]]:
    """What the names say, and names that say nothing or clash."""
    names: dict[str, _Name] = {}
    problems: list[Problem] = []
    taken: dict[tuple[int, str], str] = {}
    descriptions: dict[int, tuple[str, str]] = {}
    for name in sorted(files):
        match = _NAME.match(name)
        if match is None or int(match["version"]) == 0:
            wrong = Wrong(line=0, what="this is no name of a script", fix=_NAME_FIX, rule="migrations.file")
            problems.append(_in(database, name, wrong))
            continue
        direction: Direction = "up" if match["direction"] == "up" else "down"
        known = _Name(int(match["version"]), match["description"], direction)
        description, first = descriptions.setdefault(known.version, (known.description, name))
        clash = taken.get((known.version, direction)) or (first if description != known.description else None)
        if clash is not None:
            what = f"version {known.version} is already {clash}"
            wrong = Wrong(line=0, what=what, fix="give it the next free number", rule="migrations.clash")
            problems.append(_in(database, name, wrong))
            continue
        taken[(known.version, direction)] = name
        names[name] = known
    return names, problems


def _sum_problems(
    database: str, files: Mapping[str, bytes], names: Mapping[str, _Name], sums: Sums
) -> Iterator[Problem]:
    readable = {name: data for name, data in files.items() if name in names}
    for wrong in differences(sums, checksums(readable), database):
        yield _in(database, FILE, wrong)


def _gaps(database: str, names: Mapping[str, _Name]) -> Iterator[Problem]:
    versions = {name.version for name in names.values()}
    for version in sorted(set(range(1, max(versions, default=0))) - versions):
        what = f"version {version} is missing before version {max(versions)}"
        wrong = Wrong(line=0, what=what, fix="renumber the scripts without a gap", rule="migrations.gap")
        yield _in(database, FILE, wrong)


def _down_problems(database: str, names: Mapping[str, _Name], scripts: Mapping[str, Script]) -> Iterator[Problem]:
    directions = {(known.version, known.direction): name for name, known in names.items()}
    for (version, direction), name in directions.items():
        has_down = (version, "down") in directions
        if direction == "down" and (version, "up") not in directions:
            wrong = Wrong(line=0, what="there is no up script", fix="add it, or remove this", rule="migrations.pair")
            yield _in(database, name, wrong)
        elif direction == "up" and name in scripts:
            is_irreversible = bool(scripts[name].header.irreversible)
            if not has_down and not is_irreversible:
                what = "there is no down script"
                fix = f"add {name.replace('.up.', '.down.')}, or `-- adx: irreversible=reason`"
                yield _in(database, name, Wrong(line=0, what=what, fix=fix, rule="migrations.pair"))
            elif has_down and is_irreversible:
                what, fix = "it is declared irreversible and has a down script", "keep one of the two"
                yield _in(database, name, Wrong(line=0, what=what, fix=fix, rule="migrations.pair"))


def _assembled(database: str, engine: Engine, names: Mapping[str, _Name], scripts: Mapping[str, Script]) -> ScriptSet:
    by_place = {(known.version, known.direction): (known, scripts[name]) for name, known in names.items()}
    migrations = []
    for version in sorted({known.version for known in names.values()}):
        known, up = by_place[(version, "up")]
        down = by_place.get((version, "down"))
        migrations.append(
            Migration(
                id=f"{database}/{version:04d}_{known.description}",
                database=database,
                engine=engine,
                version=version,
                description=known.description,
                up=up,
                down=down[1] if down is not None else None,
                checksum=checksum_of(up.text.encode()),
                created_at=up.header.created,
            )
        )
    return ScriptSet(database=database, engine=engine, migrations=tuple(migrations))


def _in(database: str, name: str, wrong: Wrong) -> Problem:
    return _problem(f"{FOLDER}/{database}/{name}", wrong)


def _problem(file: str, wrong: Wrong) -> Problem:
    column = 1 if wrong.line else 0
    return Problem(file=file, line=wrong.line, column=column, path="", what=wrong.what, fix=wrong.fix, rule=wrong.rule)
