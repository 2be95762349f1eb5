"""Backs up what ADX cannot make anew, and puts it back: ledger, snapshot store, Pulumi's state, the two keys.

For parts as the local stack has them: PostgreSQL, and folders. Where store and
state are in buckets, their copies are the provider's business; the order is the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from scripts.errors import StackError
from scripts.toolchain import postgres_bin_folder

LEDGER = "ledger.dump"
# Of each setting the name under which it is kept: folders by their address, then files by their path.
FOLDERS = {"ADX_SNAPSHOT_STORE": "snapshots", "PULUMI_BACKEND_URL": "pulumi"}
KEYS = {"ADX_SNAPSHOT_KEY_FILE": "snapshot-key", "PULUMI_CONFIG_PASSPHRASE_FILE": "pulumi-passphrase"}


def back_up(settings: Mapping[str, str], folder: Path) -> int:
    """Write a backup into the new ``folder``, while ADX works; returns its size in bytes.

    The ledger goes first: whatever it names is in the store by then, since bodies are stored before they are named.
    Raises StackError.
    """
    folder.mkdir(mode=0o700, parents=True)
    postgres("pg_dump", settings, "--format=custom", f"--file={folder / LEDGER}")
    for name, kept in FOLDERS.items():
        # Pulumi's locks say who works on a stack now, its temporary files are half written: neither is for later.
        passing = shutil.ignore_patterns("locks", "*.tmp", ".*.tmp*")
        shutil.copytree(_folder(settings, name), folder / kept, ignore=passing)
    for name, kept in KEYS.items():
        shutil.copy2(settings[name], folder / kept)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def put_back(settings: Mapping[str, str], folder: Path) -> None:
    """Restore the backup in ``folder`` to where ``settings`` lead; the database must be empty. Raises StackError."""
    for name, kept in KEYS.items():
        shutil.copy2(folder / kept, settings[name])
    for name, kept in FOLDERS.items():
        shutil.copytree(folder / kept, _folder(settings, name), dirs_exist_ok=True)
    postgres("pg_restore", settings, "--no-owner", "--single-transaction", "--dbname=", str(folder / LEDGER))


def lose(settings: Mapping[str, str]) -> None:
    """Destroy all that ``put_back`` brings back: the ledger's tables, both folders, both keys."""
    statement = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    postgres("psql", settings, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--command={statement}")
    for name in FOLDERS:
        shutil.rmtree(_folder(settings, name))
        _folder(settings, name).mkdir(mode=0o700)
    for name in KEYS:
        Path(settings[name]).unlink()


def postgres(program: str, settings: Mapping[str, str], *arguments: str) -> None:
    """Run a program of PostgreSQL on the ledger's database; the password is in the environment, not in the command.

    Raises StackError with what the program said.
    """
    url = urlsplit(settings["ADX_LEDGER_URL"])
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.removeprefix("/"),
        "PGOPTIONS": "-c client_min_messages=warning",
    }
    command = [str(postgres_bin_folder() / program), "--no-password", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"{program} failed: {done.stderr.strip()}", next_step="mend what it says, and try again")


def _folder(settings: Mapping[str, str], name: str) -> Path:
    url = urlsplit(settings[name])
    if url.scheme != "file":
        raise StackError(f"{name} is no folder", next_step="copy it with the tools of its provider, in the same order")
    return Path(url2pathname(url.path))
