"""Which values travel: versions always, others where only the source has moved on."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.promotion.documents import STAYS, TRAVELS, Documents
from pipelines.promotion.model import Change, Kind, name_of
from pipelines.promotion.rules import Verdict, Wish, switched_off, verdict, versions_of
from policies.infrastructure.spec import Promotion
from policies.services.spec import ServiceSpec

WISH = Wish("staging", "production")
BASE: dict[str, Any] = {
    "services": {
        "frontend": {
            "name": "frontend",
            "image": "shop/frontend",
            "version": "v1.2.0",
            "replicas": 2,
            "resources": {"requests": {"cpu": "1"}},
            "dependencies": ["checkout", "ads"],
            "ports": [{"name": "http", "port": 80}],
            "env": {"PORT": "8080"},
            "feature_flags": ["banner"],
        },
        "checkout": {"name": "checkout", "image": "shop/checkout", "version": "v1.4.1"},
    },
    "configuration": {"frontend": {"CURRENCY": "EUR", "PAGE_SIZE": 24}, "checkout": {"TIMEOUT": 2.5}},
    "flags": {
        "banner": {"name": "banner", "type": "boolean", "enabled": False},
        "express": {"name": "express", "type": "percentage", "percentage": 5},
    },
}


def documents(**edits: Any) -> Documents:
    """The base with ``edits``: kind__name__key=value; None takes away."""
    found = copy.deepcopy(BASE)
    for path, value in edits.items():
        *way, last = path.split("__")
        place = found
        for step in way:
            place = place.setdefault(step, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return msgspec.convert(found, Documents)


def judged(
    source: Documents,
    target: Documents,
    *before: tuple[Documents, Documents],
    wish: Wish = WISH,
    rules: Promotion | None = None,
    unclear: frozenset[str] = frozenset(),
) -> Verdict:
    """The verdict where both were, newest first, as ``before``: at the end what they are and both as the base."""
    past = [(source, target), *before, (documents(), documents())]
    moments = [(one.cells(), other.cells()) for one, other in past]
    return verdict(wish, source, target, rules=rules, history=lambda: moments, unclear=unclear)


def travels(found: Verdict) -> dict[str, Any]:
    """What is brought, by name."""
    return {name_of(one.path, one.kind): one.after for one in found.changes}


def stays(found: Verdict) -> dict[str, str]:
    """What is kept, and why."""
    return {one.name: one.why for one in found.kept}


def test_every_field_of_a_service_travels_or_stays() -> None:
    """Whoever adds a field decides: this test asks for it."""
    fields = {field.encode_name for field in msgspec.structs.fields(ServiceSpec)}

    assert fields == TRAVELS | STAYS
    assert not TRAVELS & STAYS


def test_a_version_travels_and_what_belongs_to_the_environment_stays() -> None:
    """Image, version and what is the same wherever the version runs; neither replicas nor resources."""
    source = documents(
        services__frontend__version="v1.3.0",
        services__frontend__image="shop/web",
        services__frontend__replicas=1,
        services__frontend__resources={"requests": {"cpu": "2"}},
        services__frontend__env={"PORT": "8080", "ADDED": "1"},
        services__frontend__writable_paths=["/tmp"],
    )

    found = judged(source, documents())

    assert travels(found) == {
        "frontend image": "shop/web",
        "frontend version": "v1.3.0",
        "frontend env.ADDED": "1",
        "frontend writable_paths": ["/tmp"],
    }
    assert {one.unit for one in found.changes} == {"service/frontend"}
    assert not found.kept


def test_a_version_travels_although_the_target_has_chosen_another() -> None:
    """A promotion is about versions; one that goes back is marked."""
    source, target = documents(services__frontend__version="v1.9.2"), documents(services__frontend__version="v1.10.0")

    found = judged(source, target)

    assert travels(found) == {"frontend version": "v1.9.2"}
    (row,) = versions_of(found.changes, target)
    assert (row.before, row.after, row.is_back) == ("v1.10.0", "v1.9.2", True)


@pytest.mark.parametrize(
    ("before", "after", "is_back"),
    [("v1.9", "v1.10", False), ("v2", "v1", True), ("1.2.3", "v1.2.2", True), ("main-2", "main-1", False)],
)
def test_only_plain_numbers_are_compared(before: str, after: str, is_back: bool) -> None:
    """Of other versions nobody can tell which is lower."""
    target = documents(services__frontend__version=before)
    change = Change(kind="services", path=("frontend", "version"), unit="service/frontend", before=before, after=after)

    assert [one.is_back for one in versions_of([change], target)] == [is_back]


def test_a_list_in_another_order_is_no_difference() -> None:
    """Where order means nothing, and where a default is written out."""
    source = documents(
        services__frontend__dependencies=["ads", "checkout"],
        services__frontend__ports=[{"port": 80, "name": "http", "target_port": 80}],
        services__checkout__env={},
    )

    assert judged(source, documents()) == Verdict()


def test_a_value_follows_where_only_the_source_has_moved_on() -> None:
    """They agreed before, and the target still has that."""
    found = judged(documents(configuration__frontend__PAGE_SIZE=48), documents())

    assert travels(found) == {"frontend.PAGE_SIZE": 48}


def test_a_value_that_the_target_chose_for_itself_is_kept_and_told() -> None:
    """Whether it was chosen before or after the source moved on."""
    source = documents(configuration__frontend__CURRENCY="USD", services__frontend__env={"PORT": "9090"})
    target = documents(configuration__frontend__CURRENCY="JPY", services__frontend__env={"PORT": "8081"})

    found = judged(source, target)

    assert travels(found) == {}
    assert stays(found) == {
        "frontend.CURRENCY": "production has its own",
        "frontend env.PORT": "production has its own",
    }


def test_the_last_agreement_counts_not_an_older_one() -> None:
    """The target once had what it has now, while both agreed; since then both agreed on something else."""
    both = documents(configuration__frontend__PAGE_SIZE=36)

    found = judged(documents(configuration__frontend__PAGE_SIZE=48), documents(), (both, both))

    assert stays(found) == {"frontend.PAGE_SIZE": "production has its own"}


def test_two_steps_of_the_source_are_followed_in_one() -> None:
    """The target was behind already."""
    half = documents(configuration__frontend__PAGE_SIZE=36)

    found = judged(documents(configuration__frontend__PAGE_SIZE=48), documents(), (half, documents()))

    assert travels(found) == {"frontend.PAGE_SIZE": 48}


def test_one_and_true_are_two_values() -> None:
    """To YAML, and to a service that reads them."""
    source = documents(configuration__frontend__PAGE_SIZE=1)
    target = documents(configuration__frontend__PAGE_SIZE=True)

    assert stays(judged(source, target)) == {"frontend.PAGE_SIZE": "production has its own"}


def test_values_of_one_side_only_are_not_copied() -> None:
    """What is new in the source is told; what only the target has is its own."""
    source = documents(
        configuration__frontend__NEW="db.staging.example", flags__beta={"name": "beta", "type": "boolean"}
    )
    target = documents(configuration__frontend__OWN=1)

    found = judged(source, target)

    assert travels(found) == {}
    assert stays(found) == {
        "frontend.NEW": "only staging has it; promotion.follow would bring it",
        "flags.beta": "only staging has it; promotion.follow would bring it",
    }


@pytest.mark.parametrize("pattern", ["frontend.CURRENCY", "frontend.*", "*.CURRENCY", "*.*"])
def test_declared_values_follow_or_are_kept_whatever_history_says(pattern: str) -> None:
    """`promotion.follow` and `promotion.keep`; the latter wins."""
    source, target = (documents(configuration__frontend__CURRENCY=name) for name in ("USD", "JPY"))

    following = judged(source, target, rules=Promotion(from_="staging", follow=(pattern,)))
    keeping = judged(source, documents(), rules=Promotion(from_="staging", follow=("*.*",), keep=(pattern,)))

    assert travels(following) == {"frontend.CURRENCY": "USD"}
    assert stays(keeping) == {"frontend.CURRENCY": "promotion.keep"}


def test_patterns_of_values_do_not_catch_flags() -> None:
    """A flag is named as such: its value decides what customers see."""
    source = documents(flags__banner={"name": "banner", "type": "boolean", "enabled": True})
    target = documents(flags__banner={"name": "banner", "type": "boolean", "enabled": False, "owner": "shop"})

    assert travels(judged(source, target, rules=Promotion(from_="staging", follow=("*.*",)))) == {}
    assert "flags.banner" in travels(judged(source, target, rules=Promotion(from_="staging", follow=("flags.*",))))


@pytest.mark.parametrize("sides", [("vault:v1:abc", "vault:v1:def"), ("plain", "vault:v1:abc"), ("vault:kv/a#b", None)])
def test_a_secret_stays_even_when_it_is_to_follow(sides: tuple[str, str | None]) -> None:
    """It is bound to its environment; neither side is shown."""
    source = documents(configuration__frontend__TOKEN=sides[0])
    target = documents() if sides[1] is None else documents(configuration__frontend__TOKEN=sides[1])

    found = judged(source, target, rules=Promotion(from_="staging", follow=("*.*",)))

    assert travels(found) == {}
    (kept,) = found.kept
    assert (kept.name, kept.source, kept.target) == ("frontend.TOKEN", None, None)


def test_a_new_flag_that_a_promoted_service_reads_comes_switched_off() -> None:
    """The service would not be valid without it, and nobody agreed to switch it on."""
    source = documents(
        services__frontend__feature_flags=["banner", "beta"],
        flags__beta={"name": "beta", "type": "percentage", "percentage": 100},
    )

    found = judged(source, documents())

    assert travels(found) == {
        "frontend feature_flags": ["banner", "beta"],
        "flags.beta": {"type": "percentage", "percentage": 0},
    }
    assert found.changes[-1].unit == "platform"


@pytest.mark.parametrize(
    ("flag", "off"),
    [
        ({"type": "boolean", "enabled": True}, {"type": "boolean", "enabled": False}),
        ({"type": "user_list", "users": ["ana"]}, {"type": "user_list", "users": []}),
        ({"type": "tenant_list", "tenants": ["acme"]}, {"type": "tenant_list", "tenants": []}),
        ({"type": "rules", "rules": []}, {"type": "rules", "rules": [], "disabled": True}),
    ],
)
def test_switched_off_is_on_for_nobody(flag: dict[str, Any], off: dict[str, Any]) -> None:
    """Whatever decides about it."""
    assert switched_off(flag) == off


def test_services_of_one_side_are_a_persons_business() -> None:
    """How much of a service runs somewhere nobody can guess; what only the target runs is its own."""
    source = documents(services__loadgenerator={"name": "loadgenerator", "version": "v1"}, services__checkout=None)

    found = judged(source, documents())

    assert travels(found) == {}
    assert list(stays(found)) == ["loadgenerator"]
    assert "replicas" in stays(found)["loadgenerator"]


def test_only_what_was_asked_for_travels() -> None:
    """Kinds and services; of flags those that the services read."""
    source = documents(
        services__frontend__version="v2",
        services__checkout__version="v2",
        configuration__frontend__PAGE_SIZE=48,
        configuration__checkout__TIMEOUT=1.0,
        flags__banner={"name": "banner", "type": "boolean", "enabled": True},
        flags__express={"name": "express", "type": "percentage", "percentage": 50},
    )

    def asked(kinds: set[Kind], *services: str) -> set[str]:
        wish = Wish("staging", "production", frozenset(kinds), frozenset(services))
        return set(travels(judged(source, documents(), wish=wish)))

    assert asked({"services"}) == {"frontend version", "checkout version"}
    assert asked({"configuration"}, "checkout") == {"checkout.TIMEOUT"}
    assert asked({"services", "configuration", "flags"}, "frontend") == {
        "frontend version",
        "frontend.PAGE_SIZE",
        "flags.banner",
    }
    assert asked({"flags"}) == {"flags.banner", "flags.express"}


def test_a_unit_whose_state_is_not_known_is_left_alone() -> None:
    """A restore of it failed: what the source holds nobody can say."""
    source = documents(services__frontend__version="v2", services__checkout__version="v2")

    found = judged(source, documents(), unclear=frozenset({"service/frontend"}))

    assert travels(found) == {"checkout version": "v2"}
    assert stays(found) == {"service/frontend": "what staging holds of it is not known: `adx restore staging`"}


@given(st.lists(st.sampled_from(["EUR", "USD", "JPY"]), min_size=1, max_size=6), st.data())
def test_a_value_travels_exactly_when_the_target_stands_where_both_last_agreed(
    target: list[str], data: st.DataObject
) -> None:
    """Both values over time, newest first: the property that the rule is made of."""
    values = st.lists(st.sampled_from(["EUR", "USD", "JPY"]), min_size=len(target), max_size=len(target))
    source = data.draw(values)
    past = [
        (documents(configuration__frontend__CURRENCY=one), documents(configuration__frontend__CURRENCY=other))
        for one, other in zip(source, target, strict=True)
    ]
    agreed = next((one for one, other in zip(source, target, strict=True) if one == other), None)

    moments = [(one.cells(), other.cells()) for one, other in past]
    found = verdict(WISH, *past[0], rules=None, history=lambda: moments)

    is_expected = source[0] != target[0] and agreed is not None and agreed == target[0]
    assert bool(found.changes) is is_expected
