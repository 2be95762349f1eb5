"""What programs are given to find their servers leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest

from tests.migrations.worker import url_of
from tests.pipelines.command import SOURCE
from workflows.clients.databases import DatabaseAddress
from workflows.migrations.backup import BackupRefused
from workflows.migrations.backup.programs import file_in_memory

# A worker that loads a dump: it waits for the next part, and so does its program.
HOLDER = """
import asyncio, os
from workflows.clients.databases import DatabaseAddress
from workflows.migrations.backup.programs import (
    file_in_memory, mysql_access, mysql_program, postgres_access, postgres_program, running)

async def main():
    address = DatabaseAddress.parse(os.environ["ADDRESS"])
    with file_in_memory(b"a list") as (_, descriptor):
        if address.engine == "postgresql":
            with postgres_access(address) as access:
                await hold([str(postgres_program("pg_restore", 14)), "-d", address.database], access.also(descriptor))
        else:
            with mysql_access(address) as access:
                command = [str(mysql_program("mariadb", "mysql")), *access.arguments, "--batch"]
                await hold(command, access.also(descriptor))

async def hold(command, access):
    async with running(command, access, reads=True):
        print("holds", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_a_worker_that_is_killed_leaves_no_password_in_any_folder(
    address: DatabaseAddress, tmp_path: Path
) -> None:
    """Nor anything else that it gave to the program, which ends without it."""
    environment = {**os.environ, "ADDRESS": url_of(address), "PYTHONPATH": str(SOURCE)}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"holds\n"
    programs = psutil.Process(holder.pid).children()
    told = [text for one in programs for text in (*one.cmdline(), *one.environ().values())]
    holder.send_signal(signal.SIGKILL)
    assert await holder.wait() == -signal.SIGKILL
    _, alive = await asyncio.to_thread(psutil.wait_procs, programs, 60)
    assert (len(programs), alive) == (1, [])
    assert len(address.password) > 8
    assert not any(address.password in text for text in told)
    assert list(tmp_path.rglob("*")) == []


def test_a_file_in_memory_is_private_whole_and_gone_afterwards() -> None:
    """As libpq wants it; each time it is opened it is read from the beginning."""
    content = b"canary\n" * 100_000
    with file_in_memory(content) as (name, descriptor):
        found = Path(name).stat()
        assert (stat.S_ISREG(found.st_mode), stat.S_IMODE(found.st_mode), found.st_nlink) == (True, 0o600, 0)
        assert not os.get_inheritable(descriptor)
        assert [Path(name).read_bytes() for _ in range(2)] == [content, content]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_without_files_in_memory_there_is_no_backup_rather_than_one_in_a_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(BackupRefused, match="no files in memory") as raised, file_in_memory(b""):
        pass
    assert "Linux" in raised.value.next_step
