"""Runs squawk over scripts of PostgreSQL: one process for each way of running them, JSON out.

Scripts are handed over without their comments, so that none can excuse itself
(``-- squawk-ignore``), in a folder without anybody's ``.squawk.toml``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from policies.migrations.batches import as_numbered
from policies.migrations.model import Script
from policies.migrations.safety.postgresql import Violation
from policies.migrations.statements import without_comments
from workflows.migrations.errors import SquawkFailed

TIMEOUT_SECONDS = 60
OLDEST_VERSION = "14.0"
_ANSWERS = (0, 1)  # nothing found, something found


class _Reported(msgspec.Struct):
    file: str
    line: int  # from 0
    message: str
    rule_name: str
    help: str | None = None


def check_scripts(scripts: Sequence[Script], server_version: str = "") -> Mapping[str, tuple[Violation, ...]]:
    """What squawk says about each script, by file. Without a version the oldest that ADX runs on is assumed.

    Raises SquawkFailed.
    """
    found: dict[str, tuple[Violation, ...]] = {}
    for is_transaction in (True, False):
        chosen = [one for one in scripts if _is_transaction(one) == is_transaction]
        if chosen:
            found |= _checked(chosen, server_version or OLDEST_VERSION, is_transaction=is_transaction)
    return found


def _is_transaction(script: Script) -> bool:
    return script.header.transaction == "auto" and not any(one.is_alone for one in script.statements)


def _checked(scripts: Sequence[Script], version: str, *, is_transaction: bool) -> dict[str, tuple[Violation, ...]]:
    with tempfile.TemporaryDirectory(prefix="adx-squawk-") as name:
        folder = Path(name)
        (folder / "empty.toml").touch()
        files = {f"{number}.sql": script for number, script in enumerate(scripts)}
        for file, script in files.items():
            (folder / file).write_text(_shown(script), encoding="utf-8")
        options = ["--config", "empty.toml", "--reporter", "json", "--pg-version", version]
        options += ["--assume-in-transaction"] if is_transaction else []
        reported = _run([_program(), *options, *files], folder)
    found: dict[str, list[Violation]] = {script.file: [] for script in scripts}
    for one in reported:
        violation = Violation(rule=one.rule_name, line=one.line + 1, message=one.message, help=one.help or "")
        found[files[Path(one.file).name].file].append(violation)
    return {file: tuple(violations) for file, violations in found.items()}


def _shown(script: Script) -> str:
    """The script without comments; bounds of batches as parameters, which every parser of PostgreSQL knows."""
    text = without_comments(script.text, "postgresql")
    return as_numbered(text, "postgresql") if script.header.batch else text


def _run(command: list[str], folder: Path) -> list[_Reported]:
    try:
        done = subprocess.run(command, cwd=folder, env={}, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SquawkFailed(f"squawk cannot be run: {type(error).__name__}", next_step="run `make setup`") from error
    if done.returncode not in _ANSWERS:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SquawkFailed(f"squawk failed with status {done.returncode}: {said}", next_step="run `make setup` again")
    try:
        return msgspec.json.decode(done.stdout, type=list[_Reported])
    except msgspec.DecodeError as error:
        raise SquawkFailed(
            "squawk did not answer as it does", next_step="run `make setup` again for the pinned version"
        ) from error


def _program() -> str:
    """The one of our own environment, else from PATH."""
    beside = Path(sys.executable).parent / "squawk"
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if found is None:
        raise SquawkFailed("squawk is not there", next_step="run `make setup`")
    return found
