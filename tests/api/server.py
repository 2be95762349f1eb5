"""`adx api serve` in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.pipelines.command import SOURCE, Ran, environment

PROGRAM = (sys.executable, "-m", "tests.api.adx_api")


@dataclass(frozen=True)
class Server:
    """A running server. ``log`` is what it writes."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving(environ: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[Server]:
    """The server, on a free port; ended with SIGTERM."""
    log = folder / "api.log"
    variables = {**environment(folder / "home"), **environ, "PYTHONPATH": str(SOURCE)}
    command = [*PROGRAM, "api", "serve", "--listen", "127.0.0.1:0", *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=variables, cwd=folder, stdout=out, stderr=out)
    try:
        yield Server(f"http://{_address(process, log)}", process, log)
    finally:
        process.terminate()
        process.wait(30)


def adx(*arguments: str, environ: Mapping[str, str], folder: Path) -> Ran:
    """Run `adx` in ``folder``."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=dict(environ), cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the log says; the test's own timeout bounds this."""
    while process.poll() is None:
        for line in log.read_text("utf-8").rpartition("\n")[0].splitlines():  # the last one may be half written
            if line.startswith("{") and (event := json.loads(line))["event"] == "api ready":
                return str(event["address"])
        time.sleep(0.05)
    raise AssertionError(f"the server ended with {process.returncode}: {log.read_text('utf-8')}")
