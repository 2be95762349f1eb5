"""`adx config serve` as a program: where it listens, and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.configuration.api.test_api import GRANTS, URL, by
from tests.configuration.reading.conftest import Servers
from tests.pipelines.command import ADX, Ran, adx, environment
from tests.support.configuration import key, plain
from workflows.configuration.models import Write


def settings(folder: Path, store_url: str) -> dict[str, str]:
    """Grants, and a store."""
    grants = folder / "grants.json"
    grants.write_text(json.dumps(GRANTS))
    return environment(
        folder / "home", ADX_CONFIGURATION_URL=store_url, ADX_CONFIGURATION_GRANTS_FILE=str(grants), COLUMNS="80"
    )


@contextmanager
def serving(environ: dict[str, str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The server on a free port, and its address."""
    log = folder / "api.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*ADX, "config", "serve", "--listen", "127.0.0.1:0"], env=environ, cwd=folder, stdout=out, stderr=out
        )
    try:
        yield process, _address(process, log)
    finally:
        process.terminate()
        process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the log says; the test's own timeout bounds this."""
    while process.poll() is None:
        for line in log.read_text("utf-8").rpartition("\n")[0].splitlines():  # the last one may be half written
            if line.startswith("{") and (event := json.loads(line))["event"] == "configuration api ready":
                return str(event["address"])
        time.sleep(0.05)
    raise AssertionError(f"the server ended with {process.returncode}: {log.read_text('utf-8')}")


async def test_on_sigterm_it_answers_whoever_waits_and_ends(servers: Servers, tmp_path: Path) -> None:
    """A long poll of a minute does not hold it up for a minute."""
    await servers.write(Write(key=key("A"), value=plain(1)), announce=False)
    await asyncio.to_thread(ended_while_somebody_waits, settings(tmp_path, servers.store_url), tmp_path)


def ended_while_somebody_waits(environ: dict[str, str], folder: Path) -> None:
    with serving(environ, folder) as (process, address):
        first = httpx.get(f"http://{address}{URL}", headers=by("reads-values"), timeout=60)
        assert first.json()["values"] == {"A": 1}
        waiting = http.client.HTTPConnection(address, timeout=60)
        waiting.request("GET", f"{URL}?wait=60", headers=by("reads-values", **{"If-None-Match": first.headers["etag"]}))
        httpx.get(f"http://{address}/healthz", timeout=60)  # answered after it: the server has read the one that waits

        process.send_signal(signal.SIGTERM)

        assert waiting.getresponse().status == 304
        assert process.wait(30) == 0


def told(listen: str, folder: Path) -> Ran:
    """How it ends where it cannot listen; no server is asked before that."""
    return adx(
        *("config", "serve", "--listen", listen),
        environ=settings(folder, "postgresql://adx@127.0.0.1:1/adx"),
        folder=folder,
    )


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_told(tmp_path: Path, listen: str) -> None:
    """With what to write."""
    ran = told(listen, tmp_path)

    assert (ran.code, "is not an address to listen on" in " ".join(ran.err.split())) == (1, True), ran.err


def test_a_port_that_is_taken_is_told_without_traceback(tmp_path: Path) -> None:
    """And what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = told(f"127.0.0.1:{port}", tmp_path)

    assert ran.code == 1, ran.err
    assert f"cannot listen on 127.0.0.1:{port}" in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
