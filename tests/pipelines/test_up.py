"""`adx up`, `status`, `logs`, `env` and `down` with everything that belongs to them, worker and receiver included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.stack import Stack
from tests.pipelines.command import Ran, adx, environment


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Ran]]:
    """Runs `adx` in an empty repository; whatever it has started is ended at the end."""
    folder = tmp_path / "acme" / "platform"
    folder.mkdir(parents=True)
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "first"], cwd=folder, check=True)
    yield lambda *arguments: adx(
        *arguments, environ=environment(tmp_path / "home", ADX_POLL_SECONDS="0"), folder=folder
    )
    Stack(tmp_path / "home").down()
    assert Stack(tmp_path / "home").leftovers() == []


def parts(run: Callable[..., Ran]) -> dict[str, dict[str, object]]:
    """What `adx status` says of each part."""
    return {part["name"]: part for part in json.loads(run("status", "--json").out)["parts"]}


def test_life_of_a_local_stack(run: Callable[..., Ran], tmp_path: Path) -> None:
    """One story, since a whole stack costs seconds: up, up again, a crash, up again, down."""
    assert run("up").code == 0
    first = parts(run)
    assert {"temporal", "postgres", "kube-apiserver", "kwok", "worker", "webhook"} <= set(first)
    assert {part["state"] for part in first.values()} == {"ready"}

    settings = json.loads((tmp_path / "home" / "env.json").read_text())
    assert (tmp_path / "home" / "env.json").stat().st_mode & 0o777 == 0o600
    assert settings["ADX_REPO"] == str(tmp_path / "acme" / "platform")
    password = settings["ADX_LEDGER_URL"].partition("@")[0].rpartition(":")[2]
    assert password not in run("env").out
    assert settings["ADX_LEDGER_URL"] in run("env", "--reveal").out

    assert "worker ready" in run("logs", "worker").out
    assert '"repository": "acme/platform"' in run("logs", "webhook").out
    assert password not in run("logs", "worker").out
    receiver = str(first["webhook"]["address"])
    assert httpx.post(receiver, content=b"{}", trust_env=False, timeout=60).status_code == 401

    assert run("up").code == 0
    assert {name: part["pid"] for name, part in parts(run).items()} == {
        name: part["pid"] for name, part in first.items()
    }

    worker = psutil.Process(int(str(first["worker"]["pid"])))
    os.kill(worker.pid, signal.SIGKILL)
    psutil.wait_procs([worker], timeout=30)
    crashed = run("status")
    assert crashed.code == 6
    assert "worker crashed; the end of" in crashed.out
    assert run("up").code == 0
    assert {part["state"] for part in parts(run).values()} == {"ready"}

    assert run("history").code == 0
    assert run("down").code == 0
    assert parts(run) == {}
    ended = run("history")
    assert ended.code == 6
    assert "Traceback" not in ended.err
