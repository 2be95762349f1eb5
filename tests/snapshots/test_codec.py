"""The stored form, for any content: it comes back, and no change of it goes unnoticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.snapshots import codec
from workflows.snapshots.errors import SnapshotCorrupt, SnapshotForeign, SnapshotKeyMissing
from workflows.snapshots.keys import DataKey, StaticKeys
from workflows.snapshots.naming import digest_of

KEY = bytes(range(32))
KEYS = StaticKeys([KEY])
contents = st.binary(max_size=2000)


def _seal(content: bytes) -> bytes:
    header = codec.Header(owner="staging", digest=digest_of(content), key_id=KEYS.current().key_id)
    return codec.seal(content, header, KEY)


def _open(body: bytes, digest: str) -> bytes:
    sealed = codec.take_apart(body, owner="staging", digest=digest)
    key = KEYS.find(sealed.header.key_id, sealed.header.wrapped_key)
    if key is None:
        raise SnapshotKeyMissing(sealed.header.key_id)
    return codec.unseal(sealed, key)


@given(contents)
def test_any_content_comes_back(content: bytes) -> None:
    assert _open(_seal(content), digest_of(content)) == content


@given(contents, st.data())
def test_any_changed_byte_is_noticed(content: bytes, data: st.DataObject) -> None:
    body = bytearray(_seal(content))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises((SnapshotCorrupt, SnapshotForeign, SnapshotKeyMissing)):
        _open(bytes(body), digest_of(content))


@given(contents, st.data())
def test_any_truncation_is_noticed(content: bytes, data: st.DataObject) -> None:
    body = _seal(content)

    with pytest.raises(SnapshotCorrupt):
        _open(body[: data.draw(st.integers(0, len(body) - 1))], digest_of(content))


@given(st.binary(max_size=300))
def test_bytes_of_another_origin_are_no_snapshot(body: bytes) -> None:
    with pytest.raises(SnapshotCorrupt):
        _open(body, digest_of(b""))


def test_equal_contents_look_different_where_they_are_kept() -> None:
    assert _seal(b"same") != _seal(b"same")


def test_a_key_does_not_show_in_logs() -> None:
    assert repr(DataKey(KEY, "static:1")) == "DataKey(static:1)"
