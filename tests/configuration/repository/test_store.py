"""What a store does, the same on PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.configuration.values import ConfigurationKey, ConfigurationValue, why_not_on_the_wire
from tests.support.configuration import CIPHERTEXT, author, key, plain, sealed
from workflows.configuration.errors import UpdateConflict, ValueNotFound, ValueRefused
from workflows.configuration.models import Author, Criteria, Write
from workflows.configuration.repository import ConfigurationStore

CANARY = "canary-90c4"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


async def test_a_created_value_is_found_as_it_is(store: ConfigurationStore) -> None:
    """With who and when, in version 1."""
    made = await store.create(key(), plain({"b": [1, 1.0, True], "a": "é🙂 İ"}), author("ada"), tags=("layout",))

    found = await store.find_by_id(key().id)
    assert found == made
    assert found is not None
    assert repr(found.value.value) == "{'a': 'é🙂 İ', 'b': [1, 1.0, True]}"
    assert (found.version, found.metadata.updated_by, found.metadata.tags) == (1, "ada", ("layout",))
    assert found.metadata.created_at == found.metadata.updated_at


async def test_what_was_never_kept_is_not_found(store: ConfigurationStore) -> None:
    """Neither now nor in any version."""
    assert await store.find_by_id(key().id) is None
    assert await store.find_many([]) == {}
    with pytest.raises(ValueNotFound):
        await store.history(key().id)


async def test_the_second_of_two_writers_is_told_what_is_there(store: ConfigurationStore) -> None:
    """And nothing of what it wanted is kept."""
    await store.create(key(), plain(1), author())
    await store.update(key(), plain(2), author("ada"), expected=1)

    with pytest.raises(UpdateConflict) as caught:
        await store.update(key(), plain(3), author("bob"), expected=1)

    assert (caught.value.expected, caught.value.actual) == (1, 2)
    found = await store.find_by_id(key().id)
    assert found is not None
    assert (found.value.value, found.metadata.updated_by) == (2, "ada")
    assert len(await store.history(key().id)) == 2


async def test_of_writers_at_the_same_moment_one_wins_each_version(store: ConfigurationStore) -> None:
    """Creations and updates, through connections of their own."""
    for expected in (0, 1):
        writes = [
            store.write([Write(key=key(), value=plain(f"{expected}-{n}"), expected=expected)], author(f"writer-{n}"))
            for n in range(6)
        ]
        results = await asyncio.gather(*writes, return_exceptions=True)

        conflicts = [one for one in results if isinstance(one, UpdateConflict)]
        assert len(conflicts) == 5, results
        assert {(one.expected, one.actual) for one in conflicts} == {(expected, expected + 1)}


async def test_a_value_that_is_there_is_not_created_again(store: ConfigurationStore) -> None:
    """What is there is named."""
    await store.create(key(), plain(1), author())

    with pytest.raises(UpdateConflict) as caught:
        await store.create(key(), plain(2), author())

    assert (caught.value.expected, caught.value.actual) == (0, 1)


async def test_what_is_not_there_is_neither_updated_nor_deleted(store: ConfigurationStore) -> None:
    """It may have been deleted in the meantime."""
    with pytest.raises(UpdateConflict) as caught:
        await store.update(key(), plain(1), author(), expected=3)
    assert (caught.value.expected, caught.value.actual) == (3, 0)
    with pytest.raises(UpdateConflict):
        await store.delete(key(), author(), expected=1)


async def test_a_deleted_value_is_gone_and_its_versions_stay(store: ConfigurationStore) -> None:
    """A new value goes on counting: no version is ever two values."""
    await store.create(key(), plain(1), author("ada"))
    await store.delete(key(), author("bob"), expected=1)

    assert await store.find_by_id(key().id) is None
    assert await store.find_by_criteria(Criteria()) == []
    again = await store.create(key(), plain(2), author("eve"))
    assert again.version == 3
    history = await store.history(key().id)
    assert [(one.version, one.operation, one.value.value, one.by) for one in history] == [
        (3, "create", 2, "eve"),
        (2, "delete", None, "bob"),
        (1, "create", 1, "ada"),
    ]


async def test_any_version_is_restored_as_a_new_one(store: ConfigurationStore) -> None:
    """Also a deletion, also a secret, with its tags."""
    await store.create(key(), sealed(), author(), tags=("money",))
    await store.update(key(), plain("harmless"), author(), expected=1)
    await store.delete(key(), author(), expected=2)

    back = await store.restore(key().id, 1, author())
    assert back is not None
    assert (back.version, back.value.encrypted_value, back.value.is_secret) == (4, CIPHERTEXT, True)
    assert back.metadata.tags == ("money",)
    assert await store.find_by_id(key().id) == back
    assert await store.restore(key().id, 3, author(), expected=4) is None
    assert await store.find_by_id(key().id) is None
    with pytest.raises(ValueNotFound):
        await store.restore(key().id, 9, author())


async def test_a_restore_does_not_run_over_a_newer_value(store: ConfigurationStore) -> None:
    """When it says what it has seen."""
    await store.create(key(), plain(1), author())
    await store.update(key(), plain(2), author(), expected=1)

    with pytest.raises(UpdateConflict):
        await store.restore(key().id, 1, author(), expected=1)


async def test_two_versions_are_compared(store: ConfigurationStore) -> None:
    """A secret shows its form only."""
    await store.create(key(), plain(1), author())
    await store.update(key(), plain(1.0), author(), expected=1)
    await store.update(key(), sealed(), author(), expected=2)

    number, secret = await store.diff(key().id, 1, 2), await store.diff(key().id, 2, 3)
    assert (repr(number.old), repr(number.new), number.is_secret) == ("1", "1.0", False)
    assert (secret.old, secret.new, secret.is_secret, secret.is_changed) == (1.0, CIPHERTEXT, True, True)
    assert not (await store.diff(key().id, 3, 3)).is_changed


async def test_a_change_that_is_repeated_is_done_once(store: ConfigurationStore) -> None:
    """The answer to the first attempt may have been lost."""
    first = author("ada")
    made = await store.create(key(), plain(1), first)
    again = await store.create(key(), plain(1), first)
    changed = author("ada")
    await store.update(key(), plain(2), changed, expected=1)
    await store.update(key(), plain(2), changed, expected=1)

    assert again == made
    assert len(await store.history(key().id)) == 2


async def test_many_keys_change_together_or_not_at_all(store: ConfigurationStore) -> None:
    """One that somebody else has changed stops all."""
    await store.create(key("A"), plain(1), author())
    writes = [Write(key=key("B"), value=plain(1)), Write(key=key("A"), value=plain(2), expected=7)]

    with pytest.raises(UpdateConflict):
        await store.write(writes, author())

    assert await store.find_by_id(key("B").id) is None


async def test_what_would_change_nothing_makes_no_version(store: ConfigurationStore) -> None:
    """A merge that publishes all values again costs only what differs; 1, 1.0 and true differ."""
    both = [Write(key=key("A"), value=plain(1)), Write(key=key("B"), value=plain("x"))]
    await store.write(both, author())

    await store.write([*both, Write(key=key("C"), value=None)], author())
    await store.write([Write(key=key("A"), value=plain(True)), both[1]], author())

    assert [one.value.value for one in await store.history(key("A").id)] == [True, 1]
    assert len(await store.history(key("B").id)) == 1


async def test_the_same_key_twice_in_one_change_is_refused(store: ConfigurationStore) -> None:
    """Which of the two counts would be chance."""
    with pytest.raises(ValueRefused):
        await store.write([Write(key=key(), value=plain(1)), Write(key=key(), value=plain(2))], author())


async def test_criteria_are_combined(store: ConfigurationStore) -> None:
    """Ordered by id, page by page."""
    made = {
        name: await store.create(one, value, author(), tags=tags)
        for name, one, value, tags in (
            ("plain", key("A"), plain(1), ("ui", "a-b")),
            ("secret", key("B"), sealed(), ("money",)),
            ("tenant", key("A", tenant="acme"), plain(2), ()),
            ("other", key("A", service="checkout"), plain(3), ("ui2",)),
        )
    }

    async def found(**criteria: Any) -> set[str]:
        records = await store.find_by_criteria(Criteria(**criteria))
        assert [one.key.id for one in records] == sorted(one.key.id for one in records)
        return {name for name, record in made.items() if record in records}

    assert await found() == {"plain", "secret", "tenant", "other"}
    assert await found(service="frontend") == {"plain", "secret", "tenant"}
    assert await found(service="frontend", without_tenant=True) == {"plain", "secret"}
    assert await found(tenant_id="acme", key="A") == {"tenant"}
    assert await found(is_secret=True) == {"secret"}
    assert await found(is_secret=False, namespace="shop", environment="staging") == {"plain", "tenant", "other"}
    assert await found(tag="ui") == {"plain"}
    assert await found(tag="a_b") == set()
    assert await found(tag="%") == set()
    first = await store.find_by_criteria(Criteria(limit=3))
    rest = await store.find_by_criteria(Criteria(limit=3, after_id=first[-1].key.id))
    assert (len(first), len(rest)) == (3, 1)


async def test_keys_that_differ_only_in_case_are_two(store: ConfigurationStore) -> None:
    """Some collations would take one for the other."""
    await store.create(key("Name"), plain(1), author())
    await store.create(key("NAME"), plain(2), author())

    assert [one.key.key for one in await store.find_by_criteria(Criteria(key="NAME"))] == ["NAME"]


async def test_times_are_kept_to_the_microsecond_and_in_utc(database_url: str) -> None:
    """Whatever zone the writer's clock has, and across the whole range."""
    at = datetime(2026, 3, 29, 3, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    async with ConfigurationStore(database_url, now=lambda: at) as store:
        await store.migrate()
        await store.create(key(), plain(1), author())

        found = await store.find_by_id(key().id)
        assert found is not None
        assert found.metadata.updated_at == at
        assert found.metadata.updated_at.tzinfo is UTC
        assert (await store.history(key().id))[0].at == at


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (key(), plain(2**53)),
        (key(), plain(float("nan"))),
        (key(), plain("nul\0")),
        (key(), plain("vault:v1:" + "A" * 40)),
        (key(), ConfigurationValue(value=CANARY, is_secret=True)),
        (key(), ConfigurationValue(value=CANARY, is_secret=True, encrypted_value=CIPHERTEXT)),
        (key(), sealed(CANARY)),
        (key(), ConfigurationValue(value=1, encrypted_value=CIPHERTEXT)),
        (key(tenant="acme"), sealed("vault:kv/tenants/globex/a#b")),
        (key("bad-key"), plain(1)),
        (key(tenant="../x"), plain(1)),
    ],
)
async def test_what_must_not_be_kept_is_refused(
    store: ConfigurationStore, where: ConfigurationKey, value: ConfigurationValue
) -> None:
    """A number that some reader would get wrong, a secret in clear, another tenant's secret."""
    with pytest.raises(ValueRefused) as caught:
        await store.create(where, value, author())

    assert CANARY not in f"{caught.value} {caught.value.next_step}"
    assert await store.find_by_criteria(Criteria()) == []


@pytest.mark.parametrize("by", ["", "x" * 201, "ada\nbob", "ada\u202e"])
async def test_a_name_that_could_forge_a_line_is_refused(store: ConfigurationStore, by: str) -> None:
    """Names are read in histories and screens."""
    with pytest.raises(ValueRefused):
        await store.create(key(), plain(1), Author(by=by, change_id="x"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=JSON)
async def test_every_value_comes_back_as_it_was(store: ConfigurationStore, value: Any) -> None:
    """Or is refused: nothing is rounded, reordered in meaning, cut or taken for something else."""
    writes = [Write(key=key(), value=plain(value))]
    if why_not_on_the_wire(value) is not None or (isinstance(value, str) and value.startswith("vault:")):
        with pytest.raises(ValueRefused):
            await store.write(writes, author())
        return

    await store.write(writes, author())

    found = await store.find_by_id(key().id)
    assert found is not None
    assert same(found.value.value, value), (found.value.value, value)


def same(one: Any, other: Any) -> bool:
    """Equal in type as well."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


async def test_a_value_of_the_largest_size_is_kept_whole(store: ConfigurationStore) -> None:
    """In characters that take four bytes each."""
    text = "🙂" * 16_000
    await store.create(key(), plain(text), author())

    found = await store.find_by_id(key().id)
    assert found is not None
    assert found.value.value == text
