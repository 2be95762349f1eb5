"""What holds for every snapshot store, in a directory and in a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from tests.snapshots.conftest import Environ, new_key
from workflows.snapshots import SnapshotStore, open_store
from workflows.snapshots.bodies import BodyStore
from workflows.snapshots.errors import (
    SnapshotCorrupt,
    SnapshotForeign,
    SnapshotKeyMissing,
    SnapshotMissing,
    SnapshotStoreMisconfigured,
)
from workflows.snapshots.naming import folder_of
from workflows.snapshots.settings import open_bodies

CANARY = b"canary-8d1f4e"
DATA = b"exported state " + CANARY * 100
UNKNOWN = hashlib.sha256(b"never stored").hexdigest()


async def test_what_was_put_is_got_under_its_sha256(store: SnapshotStore, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)

    assert digest == hashlib.sha256(DATA).hexdigest()
    assert await store.get(digest, owner=owner) == DATA
    assert await store.exists(digest, owner=owner)


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 20_000], ids=["empty", "one byte", "5 MB"])
async def test_any_content_comes_back(store: SnapshotStore, owner: str, data: bytes) -> None:
    assert await store.get(await store.put(data, owner=owner), owner=owner) == data


async def test_the_same_content_is_kept_once(store: SnapshotStore, owner: str) -> None:
    digests = await asyncio.gather(*(store.put(DATA, owner=owner) for _ in range(5)))

    assert await store.digests(owner) == (digests[0],)


async def test_entries_say_digest_time_and_size(store: SnapshotStore, owner: str) -> None:
    digests = sorted([await store.put(f"body {number}".encode(), owner=owner) for number in range(3)])

    entries = await store.entries(owner)

    assert [entry.digest for entry in entries] == digests
    assert all(entry.size_bytes > 0 and entry.stored_at.tzinfo is not None for entry in entries)


async def test_what_is_not_there_is_missing_and_may_be_deleted(store: SnapshotStore, owner: str) -> None:
    with pytest.raises(SnapshotMissing, match=UNKNOWN) as caught:
        await store.get(UNKNOWN, owner=owner)

    assert caught.value.next_step
    assert not await store.exists(UNKNOWN, owner=owner)
    assert await store.digests(owner) == ()
    await store.delete(UNKNOWN, owner=owner)


async def test_a_deleted_snapshot_is_missing(store: SnapshotStore, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)

    await store.delete(digest, owner=owner)

    with pytest.raises(SnapshotMissing):
        await store.get(digest, owner=owner)


async def test_nothing_of_the_content_is_readable_where_it_is_kept(
    store: SnapshotStore, environ: Environ, owner: str
) -> None:
    digest = await store.put(DATA, owner=owner)

    body = _body(open_bodies(environ), owner, digest)
    assert CANARY not in body
    assert len(body) < len(DATA)


async def test_another_owner_has_not_got_it(store: SnapshotStore, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)

    with pytest.raises(SnapshotMissing):
        await store.get(digest, owner=f"{owner}-other")


async def test_a_body_moved_to_another_owner_is_refused(store: SnapshotStore, environ: Environ, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)
    bodies, other = open_bodies(environ), f"{owner}-other"
    bodies.write(folder_of(other), digest, _body(bodies, owner, digest))

    with pytest.raises(SnapshotForeign, match=owner):
        await store.get(digest, owner=other)


async def test_a_body_whose_owner_was_rewritten_is_refused(store: SnapshotStore, environ: Environ, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)
    bodies, other = open_bodies(environ), owner.replace("acme", "evil")
    forged = _body(bodies, owner, digest).replace(owner.encode(), other.encode())
    bodies.write(folder_of(other), digest, forged)

    with pytest.raises(SnapshotCorrupt):
        await store.get(digest, owner=other)


async def test_a_body_under_another_digest_is_refused(store: SnapshotStore, environ: Environ, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)
    bodies = open_bodies(environ)
    bodies.write(folder_of(owner), UNKNOWN, _body(bodies, owner, digest))

    with pytest.raises(SnapshotCorrupt):
        await store.get(UNKNOWN, owner=owner)


@pytest.mark.parametrize("kept_bytes", [0, 3, 6, 40, -17, -1])
async def test_a_truncated_body_is_refused(store: SnapshotStore, environ: Environ, owner: str, kept_bytes: int) -> None:
    digest = await store.put(DATA, owner=owner)
    bodies = open_bodies(environ)
    bodies.write(folder_of(owner), digest, _body(bodies, owner, digest)[:kept_bytes])

    with pytest.raises(SnapshotCorrupt) as caught:
        await store.get(digest, owner=owner)
    assert caught.value.next_step


async def test_a_damaged_body_is_healed_by_putting_it_again(store: SnapshotStore, environ: Environ, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)
    open_bodies(environ).write(folder_of(owner), digest, b"damaged")

    await store.put(DATA, owner=owner)

    assert await store.get(digest, owner=owner) == DATA


async def test_the_wrong_key_opens_nothing(store: SnapshotStore, environ: Environ, owner: str) -> None:
    digest = await store.put(DATA, owner=owner)
    stranger = open_store({**environ, "ADX_SNAPSHOT_KEY": new_key()})

    with pytest.raises(SnapshotKeyMissing) as caught:
        await stranger.get(digest, owner=owner)
    assert "ADX_SNAPSHOT_KEY" in caught.value.next_step


async def test_keys_rotate(store: SnapshotStore, environ: Environ, owner: str) -> None:
    """A new key is put first; the old one still reads; once all is written again, it can go."""
    old, new = environ["ADX_SNAPSHOT_KEY"], new_key()
    digest = await store.put(DATA, owner=owner)
    both = open_store({**environ, "ADX_SNAPSHOT_KEY": f"{new} {old}"})
    only_new = open_store({**environ, "ADX_SNAPSHOT_KEY": new})

    assert await both.get(digest, owner=owner) == DATA
    with pytest.raises(SnapshotKeyMissing):
        await only_new.get(digest, owner=owner)
    await both.put(DATA, owner=owner)
    assert await only_new.get(digest, owner=owner) == DATA


@pytest.mark.parametrize("name", ["", "../x", "/etc", "a//b", "a/../b", "A", "a\nb", "a~b", ".", "a/", "x" * 201])
async def test_an_owner_that_could_leave_its_folder_is_refused(store: SnapshotStore, name: str) -> None:
    with pytest.raises(SnapshotStoreMisconfigured):
        await store.put(DATA, owner=name)


@pytest.mark.parametrize("digest", ["", "../" + "0" * 61, "0" * 63, "G" * 64, "0" * 64 + "\n"])
async def test_a_digest_that_is_none_is_refused(store: SnapshotStore, owner: str, digest: str) -> None:
    for question in (store.get, store.exists, store.delete):
        with pytest.raises(SnapshotStoreMisconfigured):
            await question(digest, owner=owner)


def _body(bodies: BodyStore, owner: str, digest: str) -> bytes:
    body = bodies.read(folder_of(owner), digest)
    assert body is not None
    return body
