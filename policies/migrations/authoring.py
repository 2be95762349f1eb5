"""What `adx migrate new` and `adx migrate sum` write: the next version's two files, and adx.sum. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from policies.errors import AdxError
from policies.migrations.model import FOLDER, Phase
from policies.migrations.script_files import MAX_VERSION, checksums
from policies.migrations.spec import Engine
from policies.migrations.sums import FILE, differences, parse, render

_DESCRIPTION = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*\Z")
_VERSION = re.compile(r"(?P<version>[0-9]{4})_")
MAX_DESCRIPTION = 80


class AuthoringRefused(AdxError):
    """The files of the folder, or what was asked for, do not allow a new script."""

    exit_code = 2


def new_migration(
    database: str,
    files: Mapping[str, bytes],
    description: str,
    *,
    engine: Engine | None,
    phase: Phase,
    today: date,
) -> dict[str, bytes]:
    """The files to write into the database's folder, which holds ``files``: up, down and adx.sum.

    ``engine`` is needed for the first script only. Raises AuthoringRefused.
    """
    if not _DESCRIPTION.match(description) or len(description) > MAX_DESCRIPTION:
        raise AuthoringRefused(
            f"{description[:40]!r} is no description", next_step="write lower-case words joined by _, as in add_status"
        )
    known = _engine(database, files, engine)
    _check_sum(database, files)
    version = max((int(m["version"]) for name in files if (m := _VERSION.match(name))), default=0) + 1
    if version > MAX_VERSION:
        raise AuthoringRefused(f"{database} has no number left", next_step="begin another folder")
    name = f"{version:04d}_{description}"
    made = {f"{name}.up.sql": _up(version, phase, today), f"{name}.down.sql": b"-- What takes it back.\n"}
    return {**made, FILE: render(known, checksums({**files, **made})).encode()}


def new_sum(database: str, files: Mapping[str, bytes]) -> bytes:
    """adx.sum as the scripts are now. Raises AuthoringRefused without an engine in its first line."""
    return render(_engine(database, files, None), checksums(files)).encode()


def _engine(database: str, files: Mapping[str, bytes], asked: Engine | None) -> Engine:
    sums = parse(files[FILE].decode("utf-8", "replace")) if FILE in files else None
    if sums is None and (asked is None or FILE in files):
        raise AuthoringRefused(
            f"{FOLDER}/{database}/{FILE} names no engine", next_step="say --engine postgresql or --engine mysql"
        )
    if sums is not None and asked is not None and asked != sums.engine:
        raise AuthoringRefused(f"{database} is a database of {sums.engine}", next_step="leave --engine out")
    if sums is not None:
        return sums.engine
    return asked or "postgresql"


def _check_sum(database: str, files: Mapping[str, bytes]) -> None:
    """Refuse to write a sum over changes that nobody has looked at."""
    sums = parse(files[FILE].decode("utf-8", "replace")) if FILE in files else None
    wrong = [one.what for one in differences(sums, checksums(files), database)] if sums is not None else []
    if wrong:
        raise AuthoringRefused("\n".join(wrong), next_step=f"run `adx migrate sum {database}` when all that is meant")


def _up(version: int, phase: Phase, today: date) -> bytes:
    lines = ["-- What changes, and why.", f"-- adx: phase={phase}", f"-- adx: created={today.isoformat()}"]
    if phase == "contract":
        lines.append(f"-- adx: requires={max(version - 1, 1)}")
    return ("\n".join(lines) + "\n").encode()
