"""What a delivery changes in the store, and what brings it back."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from policies.configuration.spec import Scalar, ValueSchema
from policies.configuration.values import ConfigurationKey, ConfigurationMetadata, ConfigurationValue
from policies.desired_state import DesiredState
from policies.services.spec import ConfigurationNeed
from tests.support.accepting import accepted
from tests.support.configuration import CIPHERTEXT, key, plain, sealed
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit
from workflows.configuration.errors import ValueRefused
from workflows.configuration.models import Record
from workflows.configuration.plan import ConfigurationPlan, check, plan_of, sealed_in, value_of

SIZE, TOKEN, ACME = key(), key("TOKEN"), key(tenant="acme")


def kept(one: ConfigurationKey, value: ConfigurationValue, *, version: int = 3, tags: tuple[str, ...] = ()) -> Record:
    """A value as the store has it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = ConfigurationMetadata(created_at=at, updated_at=at, updated_by="ada", version=version, tags=tags)
    return Record(key=one, value=msgspec.structs.replace(value, metadata=metadata))


def plan(wanted: dict[ConfigurationKey, Scalar], *records: Record, **tags: tuple[str, ...]) -> ConfigurationPlan:
    """The plan; ``tags`` by key of the frontend."""
    named = {("frontend", name): value for name, value in tags.items()}
    return plan_of(wanted, {record.key: record for record in records}, named)


def test_only_what_differs_is_written_and_in_the_version_that_was_seen() -> None:
    """Added, changed and removed; what is equal is left alone."""
    made = plan(
        {SIZE: 48, TOKEN: CIPHERTEXT, ACME: 5}, kept(SIZE, plain(24)), kept(ACME, plain(5)), kept(key("OLD"), plain(1))
    )

    assert {(one.key.key, one.expected, one.value) for one in made.writes()} == {
        ("PAGE_SIZE", 3, plain(48)),
        ("TOKEN", 0, sealed()),
        ("OLD", 3, None),
    }
    assert made.services() == ["frontend"]


def test_numbers_of_another_type_and_truth_values_are_changes() -> None:
    """To a reader 1, 1.0 and true are three values."""
    for wanted, there in ((1, 1.0), (1, True), (1.0, True)):
        assert plan({SIZE: wanted}, kept(SIZE, plain(there))).changes


def test_changed_tags_are_a_change() -> None:
    """They are found by, so they are delivered."""
    assert plan({SIZE: 1}, kept(SIZE, plain(1), tags=("layout",)), PAGE_SIZE=("layout",)).changes == ()
    assert plan({SIZE: 1}, kept(SIZE, plain(1)), PAGE_SIZE=("layout",)).writes()[0].tags == ("layout",)


def test_the_way_back_knows_what_was_there() -> None:
    """What was added goes, what was removed comes back with its tags, whatever version is there by then."""
    made = plan({SIZE: 48}, kept(key("OLD"), plain("x"), tags=("a",)))

    undo = {one.key.key: one for one in made.undo({SIZE: kept(SIZE, plain(48), version=7)})}
    assert (undo["PAGE_SIZE"].value, undo["PAGE_SIZE"].expected) == (None, 7)
    assert (undo["OLD"].value, undo["OLD"].tags, undo["OLD"].expected) == (plain("x"), ("a",), 0)


def test_what_was_not_delivered_or_is_somebody_elses_is_not_undone() -> None:
    """A value that is as before stays; one that somebody wrote meanwhile is told of and left alone."""
    made = plan({SIZE: 48, TOKEN: CIPHERTEXT}, kept(SIZE, plain(24)))

    assert made.undo({SIZE: kept(SIZE, plain(24)), TOKEN: None}) == []
    assert made.not_back({SIZE: kept(SIZE, plain(48))}) == ["staging/frontend/PAGE_SIZE"]
    present = {SIZE: kept(SIZE, plain(30), version=4), TOKEN: kept(TOKEN, sealed())}
    assert [one.key for one in made.undo(present)] == [TOKEN]
    assert made.changed_by_others(present) == ["staging/frontend/PAGE_SIZE"]
    assert made.not_back({SIZE: kept(SIZE, plain(30), version=4), TOKEN: None}) == []


def test_a_plan_is_the_same_after_it_was_kept() -> None:
    """It is read from the snapshot store by whoever restores."""
    made = plan({SIZE: 48, TOKEN: CIPHERTEXT}, kept(SIZE, plain(24)))

    assert msgspec.json.decode(msgspec.json.encode(made), type=ConfigurationPlan) == made


def state(need: ConfigurationNeed) -> DesiredState:
    """A frontend that needs ``need``."""
    return desired_state(
        "staging", platform_unit("staging"), service_unit("staging", service_spec("frontend", configuration=(need,)))
    )


@pytest.mark.parametrize(
    ("value", "need", "why"),
    [
        (500, ConfigurationNeed(key="PAGE_SIZE", schema=ValueSchema(maximum=200)), "schema"),
        (2**60, ConfigurationNeed(key="PAGE_SIZE"), "2\\^53"),
        ("hunter2", ConfigurationNeed(key="PAGE_SIZE", secret=True), "in clear"),
        ("vault:nonsense", ConfigurationNeed(key="PAGE_SIZE", secret=True), "neither of its two forms"),
        ("vault:kv/tenants/globex/x#y", ConfigurationNeed(key="PAGE_SIZE", secret=True), "tenant's secret"),
    ],
)
def test_a_value_that_no_reader_should_get_is_refused(value: Scalar, need: ConfigurationNeed, why: str) -> None:
    """Also in a state that was judged by older rules. The value is not repeated."""
    with pytest.raises(ValueRefused, match=why) as refused:
        check(plan({SIZE: value}), state(need))

    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith("staging/frontend/PAGE_SIZE is refused: ")
    assert refused.value.next_step == "correct the declaration and merge again"


def test_what_is_allowed_or_goes_is_not_refused() -> None:
    """Given a value within its schema, one that nobody describes, and one that is taken out, it passes."""
    need = ConfigurationNeed(key="PAGE_SIZE", schema=ValueSchema(maximum=200))

    with accepted():
        check(plan({SIZE: 200, key("OTHER"): "x"}, kept(key("OLD"), plain(2**60))), state(need))


def test_a_value_is_delivered_with_its_tags() -> None:
    """The same value with others is somebody else's."""
    made = plan({SIZE: 48}, PAGE_SIZE=("layout",))

    assert made.not_back({SIZE: kept(SIZE, plain(48), tags=("layout",))}) == [str(SIZE)]
    assert made.changed_by_others({SIZE: kept(SIZE, plain(48))}) == [str(SIZE)]


def test_a_removal_is_delivered_when_nothing_is_there_whatever_tags_it_had() -> None:
    """And brought back with those tags; with others it is somebody else's."""
    made = plan({}, kept(SIZE, plain(24), tags=("layout",)))

    assert made.writes()[0].tags == ()
    assert made.not_back({}) == [str(SIZE)]
    assert made.changed_by_others({SIZE: kept(SIZE, plain(24), tags=("layout",))}) == []
    assert made.changed_by_others({SIZE: kept(SIZE, plain(24), tags=("other",))}) == [str(SIZE)]


def test_only_ciphertexts_that_are_new_are_held_against_vault() -> None:
    """References are not encrypted, wherever they lead; what is kept was held against it before."""
    references = {key(f"R{place}"): f"vault:{place}/rates#token" for place in ("kv/shop", "vendor", "v1")}
    made = plan({**references, TOKEN: CIPHERTEXT, key("OLD_TOKEN"): CIPHERTEXT}, kept(key("OLD_TOKEN"), sealed()))

    assert sealed_in(made) == [(TOKEN, CIPHERTEXT)]
    assert all(value_of(reference).is_secret for reference in references.values())
