"""Snapshots in a real S3 server that is busy, cuts connections or refuses."""

from __future__ import annotations

import asyncio
import os
import uuid

import pytest

from tests.snapshots.conftest import Environ
from tests.snapshots.proxy import Faults, faulty
from tests.support.waiting import wait_until
from workflows.errors import AdxConnectionError
from workflows.snapshots import open_store
from workflows.snapshots.errors import SnapshotStoreMisconfigured, SnapshotStoreUnreachable

DATA = os.urandom(300_000)  # does not compress, so that it is cut in the middle


async def test_a_busy_server_is_asked_again(s3_environ: Environ, owner: str) -> None:
    faults = Faults(busy_answers=2)
    with faulty(s3_environ["AWS_ENDPOINT_URL"], faults) as address:
        store = open_store({**s3_environ, "AWS_ENDPOINT_URL": address})
        digest = await store.put(DATA, owner=owner)

        assert await store.get(digest, owner=owner) == DATA
    assert faults.busy_answers == 0


async def test_a_server_that_stays_busy_is_a_connection_error(s3_environ: Environ, owner: str) -> None:
    with faulty(s3_environ["AWS_ENDPOINT_URL"], Faults(busy_answers=1000)) as address:
        store = open_store({**s3_environ, "AWS_ENDPOINT_URL": address})

        with pytest.raises(AdxConnectionError) as caught:
            await store.put(DATA, owner=owner)
    assert isinstance(caught.value, SnapshotStoreUnreachable)


async def test_an_upload_cut_in_the_middle_leaves_nothing(s3_environ: Environ, owner: str) -> None:
    with faulty(s3_environ["AWS_ENDPOINT_URL"], Faults(cut_uploads=1000)) as address:
        cut = open_store({**s3_environ, "AWS_ENDPOINT_URL": address})

        with pytest.raises(SnapshotStoreUnreachable):
            await cut.put(DATA, owner=owner)
    # The server lists what it is being sent, until it has noticed that the rest does not come.
    left = open_store(s3_environ)
    await asyncio.to_thread(wait_until, lambda: asyncio.run(left.digests(owner)), lambda digests: digests == ())


async def test_an_upload_cut_once_is_repeated(s3_environ: Environ, owner: str) -> None:
    with faulty(s3_environ["AWS_ENDPOINT_URL"], Faults(cut_uploads=1)) as address:
        digest = await open_store({**s3_environ, "AWS_ENDPOINT_URL": address}).put(DATA, owner=owner)

    assert await open_store(s3_environ).get(digest, owner=owner) == DATA


async def test_an_answer_lost_after_the_upload_is_harmless(s3_environ: Environ, owner: str) -> None:
    with faulty(s3_environ["AWS_ENDPOINT_URL"], Faults(cut_downloads=1, cut_after_bytes=10)) as address:
        digest = await open_store({**s3_environ, "AWS_ENDPOINT_URL": address}).put(DATA, owner=owner)

    assert await open_store(s3_environ).digests(owner) == (digest,)


async def test_a_download_cut_in_the_middle_is_never_a_short_body(s3_environ: Environ, owner: str) -> None:
    digest = await open_store(s3_environ).put(DATA, owner=owner)
    with faulty(s3_environ["AWS_ENDPOINT_URL"], Faults(cut_downloads=1000)) as address:
        cut = open_store({**s3_environ, "AWS_ENDPOINT_URL": address})

        with pytest.raises(SnapshotStoreUnreachable):
            await cut.get(digest, owner=owner)


async def test_nobody_listening_is_a_connection_error(s3_environ: Environ, owner: str) -> None:
    store = open_store({**s3_environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})

    with pytest.raises(SnapshotStoreUnreachable):
        await store.digests(owner)


@pytest.mark.parametrize(
    "wrong",
    [
        {"AWS_SECRET_ACCESS_KEY": "canary-secret-0000000000"},
        {"ADX_SNAPSHOT_STORE": f"s3://no-such-bucket-{uuid.uuid4().hex}/snapshots"},
        {"ADX_SNAPSHOT_STORE": "s3://Not_A_Bucket!/snapshots"},
    ],
    ids=["secret", "bucket", "bucket's name"],
)
async def test_wrong_settings_are_a_validation_error(s3_environ: Environ, owner: str, wrong: Environ) -> None:
    store = open_store({**s3_environ, **wrong})

    with pytest.raises(SnapshotStoreMisconfigured) as caught:
        await store.put(DATA, owner=owner)
    assert "canary" not in str(caught.value)
    assert caught.value.next_step


async def test_a_prefix_keeps_stores_in_one_bucket_apart(s3_environ: Environ, owner: str) -> None:
    bucket = s3_environ["ADX_SNAPSHOT_STORE"].removeprefix("s3://").partition("/")[0]
    one, other = (open_store({**s3_environ, "ADX_SNAPSHOT_STORE": f"s3://{bucket}{path}"}) for path in ("/one/", ""))
    digest = await one.put(DATA, owner=owner)

    assert await one.exists(digest, owner=owner)
    assert not await other.exists(digest, owner=owner)
