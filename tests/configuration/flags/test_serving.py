"""What `adx flags serve` answers while commits are delivered and things go wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pipelines.flags.serving import Served, checked_token, from_commits, from_file, refresh
from policies.configuration.flags.errors import FlagsUnreadable
from policies.errors import AdxError
from tests.configuration.flags.test_stale import commit, new_repository
from workflows.errors import AdxConnectionError

FLAG = {"name": "one", "description": "d", "owner": "o", "type": "boolean", "enabled": False}


def head(repository: Path) -> str:
    """The newest commit."""
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_a_delivery_changes_what_is_served(tmp_path: Path):
    """Merged alone changes nothing: the delivered commit counts. An outage leaves the flags as they are."""
    new_repository(tmp_path)
    commit(tmp_path, "2026-01-01T00:00:00Z", FLAG)
    delivered: list[str | Exception] = [head(tmp_path)]
    commit(tmp_path, "2026-02-01T00:00:00Z", {**FLAG, "enabled": True})
    said: list[str] = []

    async def asked() -> str | None:
        if isinstance(delivered[0], Exception):
            raise delivered[0]
        return delivered[0]

    look = from_commits(tmp_path, "staging", asked)
    first = await look(None)
    assert first is not None
    state = Served(first)
    await refresh(state, look, said.append)
    assert (state.current().evaluator.evaluate("one").value, said) == (False, [])

    delivered[0] = AdxConnectionError("the ledger does not answer")
    await refresh(state, look, said.append)
    await refresh(state, look, said.append)
    assert (state.current().evaluator.evaluate("one").value, state.current().is_stale) == (False, True)
    assert said == ["the flags may be old: the ledger does not answer"]

    delivered[0] = head(tmp_path)
    await refresh(state, look, said.append)
    assert (state.current().evaluator.evaluate("one").value, state.current().is_stale) == (True, False)


async def test_before_the_first_delivery_there_is_nothing_to_serve(tmp_path: Path):
    """Which is said, with what to do."""

    async def nothing() -> str | None:
        return None

    with pytest.raises(FlagsUnreadable, match="nothing was delivered to staging") as refused:
        await from_commits(tmp_path, "staging", nothing)(None)
    assert "adx deploy staging" in refused.value.next_step


async def test_a_file_is_served_anew_when_it_is_replaced(tmp_path: Path):
    """A broken one leaves the flags as they are until it is mended."""
    file, said = tmp_path / "flags.json", list[str]()
    file.write_text(json.dumps({"one": {"type": "boolean", "enabled": False}}))
    look = from_file(file)
    first = await look(None)
    assert first is not None
    state = Served(first)
    for text, value, is_stale in (("{", False, True), ('{"one": {"type": "boolean", "enabled": true}}', True, False)):
        file.with_suffix(".new").write_text(text)
        file.with_suffix(".new").rename(file)
        for _ in range(2):
            await refresh(state, look, said.append)
            assert (state.current().evaluator.evaluate("one").value, state.current().is_stale) == (value, is_stale)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "flags.example:1"])
def test_beyond_this_machine_a_token_is_required(listen: str, tmp_path: Path):
    """An empty one is none."""
    with pytest.raises(AdxError, match="no token"):
        checked_token(listen, None)
    (tmp_path / "token").write_text("\n")
    with pytest.raises(AdxError, match="is empty"):
        checked_token(listen, tmp_path / "token")
    (tmp_path / "token").write_text("long\n")
    assert checked_token(listen, tmp_path / "token") == b"long"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "8016", ":8016", "[::1]:0", "localhost:1"])
def test_on_this_machine_no_token_is_needed(listen: str):
    """As for everything else that listens on loopback."""
    assert checked_token(listen, None) is None
