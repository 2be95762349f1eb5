"""Locks of the file backend: only those of owners proven dead are removed."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.engine import Engine, EngineSettings
from infra.engine.locks import backend_folder, is_proven_dead, locks
from infra.errors import LockOwner, StackLocked
from tests.support.desired import desired_state, platform_unit


def owner(**changes: object) -> dict[str, object]:
    """The content of a lock that this living process would write now."""
    return {
        "pid": os.getpid(),
        "username": "somebody",
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    } | changes


def dead_process_id() -> int:
    """The number of a process that has just ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def place_lock(settings: EngineSettings, stack: str, content: str) -> Path:
    """Put a lock on the stack, as Pulumi would."""
    folder = Path(settings.backend_url.removeprefix("file://")) / ".pulumi/locks/organization/adx" / stack
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "0b5c2a4e-aaaa-bbbb-cccc-000000000000.json"
    path.write_text(content)
    return path


async def test_the_lock_of_a_dead_owner_is_cleared_and_the_operation_goes_on(
    engine: Engine, settings: EngineSettings, environment: str
):
    """A killed process must not block a stack for ever."""
    state = desired_state(environment, platform_unit(environment))
    await engine.up(state)
    lock = place_lock(settings, environment, json.dumps(owner(pid=dead_process_id())))

    await engine.up(state)

    assert not lock.exists()


async def test_the_lock_of_a_living_owner_is_refused_and_kept(
    engine: Engine, settings: EngineSettings, environment: str
):
    """The refusal names the owner; the lock stays."""
    lock = place_lock(settings, environment, json.dumps(owner()))

    with pytest.raises(StackLocked, match=f"process {os.getpid()} on {socket.gethostname()}"):
        await engine.up(desired_state(environment))

    assert lock.exists()


@pytest.mark.parametrize(
    "content", [json.dumps(owner(hostname="another-host", pid=1)), "", '{"pid": 1', '{"pid": "x"}'],
    ids=["of another host", "empty", "half written", "of another shape"],
)  # fmt: skip
async def test_a_lock_whose_owner_cannot_be_judged_is_refused_and_kept(
    settings: EngineSettings, environment: str, content: str
):
    """Without a proof of death nothing is removed."""
    lock = place_lock(settings, environment, content)

    with pytest.raises(StackLocked):
        await Engine(settings, environment).refresh()

    assert lock.exists()
    assert len(await Engine(settings, environment).cancel_lock()) == 1


async def test_a_lock_can_be_cancelled_with_a_proof_from_elsewhere(
    engine: Engine, settings: EngineSettings, environment: str
):
    """Whoever knows that the other host is gone may say so."""
    state = desired_state(environment, platform_unit(environment))
    await engine.up(state)
    lock = place_lock(settings, environment, json.dumps(owner(hostname="another-host")))

    assert await engine.cancel_lock(owner_is_dead=True) == ()

    assert not lock.exists()


async def test_a_preview_needs_no_lock(engine: Engine, settings: EngineSettings, environment: str):
    """Reading is possible while somebody applies."""
    await engine.up(desired_state(environment, platform_unit(environment)))
    place_lock(settings, environment, json.dumps(owner()))

    assert (await engine.preview(desired_state(environment, platform_unit(environment)))).is_empty


def test_a_process_number_that_was_given_away_again_is_no_owner():
    """This process began long after a lock that is a year old."""
    old = datetime.now(UTC) - timedelta(days=365)

    assert is_proven_dead(LockOwner(process_id=os.getpid(), host=socket.gethostname(), user="x", since=old))
    assert not is_proven_dead(
        LockOwner(process_id=os.getpid(), host=socket.gethostname(), user="x", since=datetime.now(UTC))
    )


def test_backends_other_than_files_answer_for_their_own_locks(settings: EngineSettings):
    """There is no folder to look into."""
    remote = dataclasses.replace(settings, backend_url="s3://bucket/prefix")

    assert backend_folder(remote) is None
    assert locks(remote, "any") == []
