"""MariaDB: one server on 127.0.0.1 with password login only, from PATH. Optional."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from scripts.errors import StackError
from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import MariaDbProbe
from scripts.stack.record import Record
from scripts.toolchain.servers import mariadb_program

_NAME = "mariadb"
_ROOT_PASSWORD = "mariadb-root-password"  # noqa: S105 - the name of a file, not a password
_PASSWORD = "mariadb-password"  # noqa: S105 - the name of a file, not a password
_USER = "adx"
_FIRST_STATEMENTS = "users.sql"


def settings(home: Home, known: Record) -> dict[str, str]:
    """A database of its own, as its owner and not as root; while it runs."""
    if _NAME not in known.optional:
        return {}
    return {"ADX_MARIADB_URL": f"mysql://{_USER}:{home.secret(_PASSWORD)}@127.0.0.1:{_port(known)}/{_USER}"}


def root_url(home: Home, port: int, database: str = "mysql") -> str:
    """A URL of ``database`` for root."""
    return f"mysql://root:{home.secret(_ROOT_PASSWORD)}@127.0.0.1:{port}/{database}"


def ensure_secrets(home: Home) -> None:
    """The passwords of root and of the owner."""
    home.ensure_secret(_ROOT_PASSWORD)
    home.ensure_secret(_PASSWORD)


def _port(known: Record) -> int:
    return known.ports["mariadb.sql"]


def _prepare(context: Context) -> None:
    """Make the data folder the first time, complete or not at all, and say who may log in."""
    data = context.home.data(_NAME)
    if not data.exists():
        unfinished = data.with_name(f"{_NAME}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _install_db(unfinished)
        unfinished.rename(data)
    write_private(data / _FIRST_STATEMENTS, _statements(context.home))


def _install_db(folder: Path) -> None:
    options = ("--no-defaults", "--skip-test-db", "--skip-name-resolve", f"--datadir={folder}", *_as_this_user())
    command = [str(mariadb_program("mariadb-install-db")), "--auth-root-authentication-method=normal", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(
            f"MariaDB could not make its data folder: {done.stdout.strip()[-500:]} {done.stderr.strip()[-500:]}",
            next_step=f"free what the message names, then start the stack again ({folder} may be deleted)",
        )


def _as_this_user() -> tuple[str, ...]:
    """MariaDB run by root demands to be told so; for others the option changes nothing."""
    return ("--user=root",)


def _statements(home: Home) -> str:
    """Run at each start before anybody may connect, one statement a line; passwords never stand in an argument."""
    root, password = home.secret(_ROOT_PASSWORD), home.secret(_PASSWORD)
    return "\n".join(
        (
            f"ALTER USER root@localhost IDENTIFIED BY '{root}';",
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{root}';",
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;",
            f"CREATE DATABASE IF NOT EXISTS {_USER} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
            f"CREATE OR REPLACE USER {_USER}@'127.0.0.1' IDENTIFIED BY '{password}';",
            f"GRANT ALL ON {_USER}.* TO {_USER}@'127.0.0.1';",
            "",
        )
    )


def _command(context: Context) -> Command:
    data = context.home.data(_NAME)
    options = {
        "datadir": data,
        "port": context.port(_NAME, "sql"),
        "bind-address": "127.0.0.1",
        "socket": "mariadb.sock",  # within the data folder: a longer path than a socket may have would be refused
        "pid-file": data / "mariadb.pid",
        "init-file": data / _FIRST_STATEMENTS,
        "innodb-buffer-pool-size": "64M",
        "innodb-log-file-size": "32M",
        "max-connections": 200,
        "character-set-server": "utf8mb4",
    }
    flags = tuple(f"--{name}={value}" for name, value in options.items())
    return Command((str(mariadb_program("mariadbd")), "--no-defaults", "--skip-name-resolve", *_as_this_user(), *flags))


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: MariaDbProbe(context.port(_NAME, "sql"), str(context.home.secret_file(_PASSWORD))),
    ports=("sql",),
    prepare=_prepare,
    address=lambda context: f"127.0.0.1:{context.port(_NAME, 'sql')}",
)
