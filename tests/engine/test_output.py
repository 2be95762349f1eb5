"""What a process writes is kept for a reader that comes late, and handed on line by line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine import output, process
from infra.engine.output import Output, open_output

MORE_THAN_A_PIPE_HOLDS_BYTES = 2 * 1024 * 1024
LINES = st.lists(st.binary(max_size=30).filter(lambda text: b"\n" not in text), max_size=8)


def written(told: Output, text: bytes) -> list[bytes]:
    """The lines that are complete once this has been written too."""
    os.write(told.fileno(), text)
    return list(told.lines())


def test_a_line_is_handed_on_once_it_is_complete(tmp_path: Path) -> None:
    """In pieces, several at once, and the last one without its end."""
    with open_output(tmp_path) as told:
        assert written(told, b"one\ntw") == [b"one\n"]
        assert written(told, b"") == []
        assert written(told, b"o\n\nthree\nfo") == [b"two\n", b"\n", b"three\n"]
        assert written(told, b"u") == []
        assert told.rest() == b"fou"


@given(lines=LINES, chunk_bytes=st.integers(1, 40))
def test_no_chunk_changes_what_is_read(
    lines: list[bytes], chunk_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However much is read at once, the lines are those that were written."""
    with pytest.MonkeyPatch.context() as patched, open_output(tmp_path_factory.getbasetemp()) as told:
        patched.setattr(output, "CHUNK_BYTES", chunk_bytes)
        assert written(told, b"".join(line + b"\n" for line in lines)) == [line + b"\n" for line in lines]
        assert told.rest() == b""


def test_its_file_has_no_name(tmp_path: Path) -> None:
    """What the engine tells is not to be found by others, nor left behind."""
    with open_output(tmp_path) as told:
        os.write(told.fileno(), b"a value\n")
        assert list(tmp_path.iterdir()) == []


def pulumi_of(folder: Path, script: str) -> dict[str, str]:
    """Variables that make this shell script the ``pulumi`` of an engine."""
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


async def test_a_process_ends_although_nobody_reads(tmp_path: Path) -> None:
    """A worker that is paused does not stop its pulumi in the middle, which would keep the stack's lock."""
    environment = pulumi_of(tmp_path, f"head -c {MORE_THAN_A_PIPE_HOLDS_BYTES} /dev/zero | tee /dev/stderr")
    with open_output(tmp_path) as events, open_output(tmp_path) as words:
        started = await process.start_pulumi([], tmp_path, environment, (events, words), 1)

        assert await asyncio.wait_for(started.wait(), 60) == 0
        assert [os.fstat(end.fileno()).st_size for end in (events, words)] == [MORE_THAN_A_PIPE_HOLDS_BYTES] * 2


WORKER = """\
import asyncio, sys
from pathlib import Path
from infra.engine.output import open_output
from infra.engine.process import start_pulumi

async def main(folder: Path) -> None:
    with open_output(folder) as events, open_output(folder) as words:
        started = await start_pulumi([], folder, {"PATH": f"{folder}:/usr/bin:/bin"}, (events, words), 0.1)
        while not list(events.lines()):
            await asyncio.sleep(0.01)
        print(started.pid, flush=True)
        await started.wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what a killed session leaves is looked for in Linux's /proc")
async def test_a_pulumi_that_does_not_heed_its_workers_death_is_killed_after_its_grace(tmp_path: Path) -> None:
    """Whoever takes over waits for its lock; what it has started goes, too."""
    pulumi_of(tmp_path, "trap '' INT; sleep 600 & echo begun; wait")  # what it has started is there once it says so
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path), stdout=subprocess.PIPE, start_new_session=True
    )
    assert worker.stdout is not None
    pulumi = psutil.Process(int(await worker.stdout.readline()))
    orphans = [pulumi, *pulumi.children(recursive=True)]
    assert len(orphans) > 1

    worker.kill()
    await worker.wait()

    _, alive = await asyncio.to_thread(psutil.wait_procs, orphans, 30)
    assert alive == []


async def test_everything_is_read_before_the_end_is_told(tmp_path: Path) -> None:
    """Also what was written in the last moment, and a last line without its end."""
    told: list[bytes] = []
    script = "echo begun; sleep 0.2; seq 20000; printf last; echo words >&2; exit 3"

    outcome = await process.run(
        [], folder=tmp_path, environment=pulumi_of(tmp_path, script), on_line=told.append, grace_seconds=1
    )

    assert told == [b"begun\n", *(b"%d\n" % number for number in range(1, 20001)), b"last"]
    assert (outcome.exit_code, outcome.said) == (3, "words\n")
