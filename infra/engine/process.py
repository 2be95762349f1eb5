"""One ``pulumi`` process: started clean, streamed, interrupted in good order, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.engine.output import Output, open_output
from infra.errors import EngineError, ToolMissing

TAIL_LINES = 200
LOOK_INTERVAL_SECONDS = 0.05
LINES_IN_A_TURN = 100
LAUNCHER = Path(__file__).with_name("launcher.py")
OnLine = Callable[[bytes], None]


@dataclass(frozen=True)
class Outcome:
    """How the process ended, and the end of what it said outside the event stream."""

    exit_code: int
    said: str


async def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: OnLine,
    grace_seconds: float,
) -> Outcome:
    """Run ``pulumi`` with ``arguments`` to its end; raises ToolMissing.

    When cancelled, pulumi is interrupted and gets ``grace_seconds`` to finish
    what it has under way before it is killed; only then is the cancellation raised.
    """
    said: deque[str] = deque(maxlen=TAIL_LINES)
    with open_output(folder) as events, open_output(folder) as words:
        process = await start_pulumi(arguments, folder, environment, (events, words), grace_seconds)
        try:
            exit_code = await follow(process, {events: on_line, words: tail(said)})
        except BaseException:
            await finish(stop(process, grace_seconds))
            raise
        finally:
            kill_session(process.pid)
    return Outcome(exit_code, "".join(said))


async def start_pulumi(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    outputs: tuple[Output, Output],
    grace_seconds: float,
) -> Process:
    """Start pulumi in a session of its own, so that a terminal's Ctrl-C does not reach it past the engine.

    ``outputs``: for its standard output and its standard error. ``grace_seconds``: see the launcher.
    """
    events, words = outputs
    program = find_tool("pulumi", environment)
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(grace_seconds)]
    command = [*launcher, program, *arguments]
    return await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=events.fileno(), stderr=words.fileno(), start_new_session=True,
    )  # fmt: skip


async def follow(process: Process, readers: Mapping[Output, OnLine]) -> int:
    """Hand on every line until the process has ended; its exit code."""
    ended = asyncio.ensure_future(process.wait())
    try:
        while not ended.done():
            await asyncio.wait((ended,), timeout=LOOK_INTERVAL_SECONDS)
            for output, on_line in readers.items():  # after the end as well: what was written last
                await hand_on(output, on_line)
        for output, on_line in readers.items():
            if rest := output.rest():
                on_line(rest)
    finally:
        ended.cancel()
    return ended.result()


async def hand_on(output: Output, on_line: OnLine) -> None:
    """Every line that has been completed in the meantime; others get their turn while there are many."""
    for number, line in enumerate(output.lines(), start=1):
        on_line(line)
        if number % LINES_IN_A_TURN == 0:
            await asyncio.sleep(0)


def find_tool(name: str, environment: Mapping[str, str]) -> str:
    """The path of the executable ``name``; raises ToolMissing."""
    for folder in environment["PATH"].split(os.pathsep):
        candidate = Path(folder) / name
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    raise ToolMissing(f"{name} is not on the path", next_step="run `adx doctor`, which says how to get it")


async def read_lines(stream: asyncio.StreamReader | None, on_line: OnLine) -> None:
    """Hand every line to ``on_line`` until the stream ends."""
    while stream is not None and (line := await stream.readline()):
        on_line(line)


def tail(lines: deque[str]) -> OnLine:
    """Keeps the last lines as text."""
    return lambda line: lines.append(line.decode(errors="replace"))


async def finish(work: Awaitable[None]) -> None:
    """Wait for ``work`` even when the waiting is cancelled again; the work is bounded in time."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)


async def stop(process: Process, grace_seconds: float) -> None:
    """Interrupt, wait, kill; returns when the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), grace_seconds)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def kill_session(session_id: int) -> None:
    """Kill what is left of a session: plugins of a pulumi that was itself killed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.pid != session_id and os.getsid(process.pid) == session_id:
                process.kill()


@asynccontextmanager
async def program_host(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """A running program host; yields the address it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "infra.engine.program_host", cwd=folder, env=environment,
        stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    said: deque[str] = deque(maxlen=TAIL_LINES)
    reader: asyncio.Future[None] | None = None
    try:
        port = await process.stdout.readline() if process.stdout else b""
        reader = asyncio.ensure_future(read_lines(process.stdout, tail(said)))
        if not port.strip().isdigit():
            await reader
            raise EngineError(f"the program host did not start:\n{port.decode(errors='replace')}{''.join(said)}")
        yield f"127.0.0.1:{int(port)}"
        if process.returncode is not None:
            raise EngineError(f"the program host ended early:\n{''.join(said)}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await finish(reap(process, reader))


async def reap(process: Process, reader: asyncio.Future[None] | None) -> None:
    """Wait for a killed process and for its last words."""
    await process.wait()
    if reader is not None:
        await asyncio.gather(reader, return_exceptions=True)
