"""Settings of the snapshot store: what is missing or unsafe is refused at the start, with a reason."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.snapshots.conftest import Environ, new_key
from workflows.snapshots import open_store
from workflows.snapshots.errors import SnapshotKeyMissing, SnapshotStoreMisconfigured

CANARY = "canary-key-material"


def test_without_a_key_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(SnapshotKeyMissing, match="no key is set") as caught:
        open_store({"ADX_SNAPSHOT_STORE": tmp_path.as_uri()})

    assert "ADX_SNAPSHOT_KEY_FILE" in caught.value.next_step


@pytest.mark.parametrize("address", ["", "/a/path", "file:relative", "http://host/x", "s3://", "file://elsewhere/x"])
def test_an_address_that_is_no_place_for_snapshots_is_refused(address: str) -> None:
    with pytest.raises(SnapshotStoreMisconfigured) as caught:
        open_store({"ADX_SNAPSHOT_STORE": address, "ADX_SNAPSHOT_KEY": new_key()})

    assert "file:///directory" in caught.value.next_step


@pytest.mark.parametrize(
    "key",
    [CANARY, base64.b64encode(b"too short").decode(), f"{new_key()} {CANARY}", base64.b64encode(b"x" * 33).decode()],
    ids=["not base64", "too short", "second one bad", "too long"],
)
def test_something_that_is_not_a_key_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    with pytest.raises(SnapshotKeyMissing) as caught:
        open_store({"ADX_SNAPSHOT_STORE": tmp_path.as_uri(), "ADX_SNAPSHOT_KEY": key})

    assert not any(word in f"{caught.value} {caught.value.next_step}" for word in key.split())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    environ = _with_file(tmp_path, new_key(), mode)

    with pytest.raises(SnapshotKeyMissing, match="open to others") as caught:
        open_store(environ)
    assert "chmod 600" in caught.value.next_step


@pytest.mark.parametrize("content", ["", "\n", "é"])
def test_an_empty_or_unreadable_key_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SnapshotKeyMissing):
        open_store(_with_file(tmp_path, content, 0o600))


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    environ = {"ADX_SNAPSHOT_STORE": tmp_path.as_uri(), "ADX_SNAPSHOT_KEY_FILE": str(tmp_path / "none")}

    with pytest.raises(SnapshotKeyMissing, match="FileNotFoundError"):
        open_store(environ)


async def test_a_key_file_holds_the_current_key_and_older_ones(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    digest = await open_store(_with_file(tmp_path, old, 0o600)).put(b"data", owner="staging")

    rotated = open_store(_with_file(tmp_path, f"{new}\n{old}\n", 0o600))

    assert await rotated.get(digest, owner="staging") == b"data"


def _with_file(folder: Path, content: str, mode: int) -> Environ:
    file = folder / "key"
    file.write_text(content, encoding="utf-8")
    file.chmod(mode)
    return {"ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(), "ADX_SNAPSHOT_KEY_FILE": str(file)}
