"""What users get: values, variants, reasons and error codes, as OpenFeature defines them."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from policies.configuration.flags.errors import FlagInvalid
from policies.configuration.flags.evaluator import Evaluator, compiled
from policies.configuration.flags.explanation import explain
from policies.configuration.flags.plan import plans_of
from policies.configuration.flags.spec import FlagDecision
from tests.configuration.flags.flag_sets import NOW, contexts, flag_sets


def flag(type_: str, **fields: Any) -> FlagDecision:
    """A flag from plain data, as a document has it."""
    return msgspec.convert({"type": type_, **fields}, FlagDecision)


def answer(found: Any) -> tuple[Any, str | None, str, str | None]:
    """The four facts of an evaluation."""
    return found.value, found.variant, found.reason, found.error_code


ORDERED = flag(
    "rules",
    variants={"blue": "#00f", "green": "#0f0", "none": ""},
    default="none",
    rules=[
        {"name": "never", "users": [], "variant": "green"},
        {"name": "staff", "users": ["ann"], "variant": "blue"},
        {"name": "gold", "tenants": ["acme"], "attributes": {"plan": ["gold"]}, "variant": "green"},
        {"name": "half", "tenants": ["acme"], "variant": "blue", "percentage": 50},
    ],
)
FLAGS = {
    "on": flag("boolean", enabled=True),
    "off": flag("boolean", enabled=False),
    "share": flag("percentage", percentage=50),
    "all": flag("percentage", percentage=100),
    "users": flag("user_list", users=["ann"]),
    "tenants": flag("tenant_list", tenants=["acme"]),
    "dead": flag("boolean", enabled=True, disabled=True),
    "ordered": ORDERED,
    "number": flag("boolean", enabled=True, variants={"on": 3, "off": 0}),
    "half": flag("boolean", enabled=True, variants={"on": 3.5, "off": 0}),
    "object": flag("boolean", enabled=True, variants={"on": {"a": [1]}, "off": {}}),
    "needs": flag("boolean", enabled=True, prerequisites=[{"flag": "users"}, {"flag": "ordered", "variant": "blue"}]),
    "needs-share": flag("boolean", enabled=True, prerequisites=[{"flag": "share"}]),
    "needs-dead": flag("boolean", enabled=True, prerequisites=[{"flag": "dead"}]),
}


def asked() -> Evaluator:
    """The evaluator of FLAGS; made anew, so that a test sees what compiling does now."""
    return compiled(FLAGS)


@pytest.mark.parametrize(
    ("key", "user", "attributes", "expected"),
    [
        ("on", None, {}, (True, "on", "STATIC", None)),
        ("off", "ann", {}, (False, "off", "STATIC", None)),
        ("all", None, {}, (True, "on", "STATIC", None)),
        ("share", None, {}, (None, None, "ERROR", "TARGETING_KEY_MISSING")),
        ("share", "", {}, (None, None, "ERROR", "TARGETING_KEY_MISSING")),
        ("share", "\ud800", {}, (None, None, "ERROR", "INVALID_CONTEXT")),
        ("share", 7, {}, (None, None, "ERROR", "INVALID_CONTEXT")),
        ("users", "ann", {}, (True, "on", "TARGETING_MATCH", None)),
        ("users", "bob", {}, (False, "off", "DEFAULT", None)),
        ("users", None, {}, (False, "off", "DEFAULT", None)),
        ("users", ["ann"], {}, (False, "off", "DEFAULT", None)),
        ("tenants", None, {"tenant": "acme"}, (True, "on", "TARGETING_MATCH", None)),
        ("tenants", None, {"tenant": ["acme"]}, (False, "off", "DEFAULT", None)),
        ("dead", "ann", {}, (None, None, "DISABLED", None)),
        ("gone", "ann", {}, (None, None, "ERROR", "FLAG_NOT_FOUND")),
        ("ordered", "ann", {"tenant": "acme", "plan": "gold"}, ("#00f", "blue", "TARGETING_MATCH", None)),
        ("ordered", None, {"tenant": "acme", "plan": "gold"}, ("#0f0", "green", "TARGETING_MATCH", None)),
        ("ordered", "bob", {"plan": "gold"}, ("", "none", "DEFAULT", None)),
        ("ordered", None, {"tenant": "acme"}, (None, None, "ERROR", "TARGETING_KEY_MISSING")),
        ("needs", "ann", {}, (True, "on", "TARGETING_MATCH", None)),
        ("needs", "bob", {}, (False, "off", "DEFAULT", None)),
        ("needs-share", None, {}, (None, None, "ERROR", "TARGETING_KEY_MISSING")),
        ("needs-dead", None, {}, (False, "off", "DEFAULT", None)),
    ],
)
def test_a_user_gets(key: str, user: Any, attributes: dict[str, object], expected: tuple[Any, ...]) -> None:
    """The first rule that fits decides; what is missing is said."""
    assert answer(asked().evaluate(key, user, attributes)) == expected


def test_a_share_of_users_is_a_split_for_both_sides():
    """Whoever is in and whoever is not was chosen by the bucket."""
    found = {answer(asked().evaluate("share", f"user-{number}")) for number in range(50)}

    assert found == {(True, "on", "SPLIT", None), (False, "off", "SPLIT", None)}


def test_the_first_rule_that_fits_decides_for_those_outside_its_share_too():
    """They get the default, not what a later rule gives."""
    rules = [{"name": "few", "variant": "on", "percentage": 1, "tenants": ["acme"]}, {"name": "all", "variant": "on"}]
    evaluator = compiled({"flag": flag("rules", rules=rules)})
    found = [evaluator.evaluate("flag", f"user-{number}", {"tenant": "acme"}).variant for number in range(200)]

    assert found.count("off") > 150


@pytest.mark.parametrize(
    ("type_", "fitting"),
    [
        ("boolean", {"on"}),
        ("string", {"ordered"}),
        ("integer", {"number"}),
        ("float", {"number", "half"}),
        ("object", {"object"}),
    ],
)
def test_a_flag_is_read_as_what_it_is(type_: Any, fitting: set[str]) -> None:
    """Whole numbers are floats, too; everything else is a type mismatch, and says what the flag has."""
    for key in ("on", "ordered", "number", "half", "object"):
        found = asked().evaluate_as(type_, key, "ann")
        assert (found.error_code == "TYPE_MISMATCH") == (key not in fitting)
    assert asked().evaluate_as(type_, "gone").error_code == "FLAG_NOT_FOUND"
    assert "of type boolean, not string" in str(asked().evaluate_as("string", "on").error_message)


@pytest.mark.parametrize(
    ("now", "variant"),
    [(1_764_572_399.9, "off"), (1_764_572_400, "on"), (1_766_595_599.9, "on"), (1_766_595_600, "off")],
)
def test_a_schedule_counts_by_the_clocks_of_its_zone(now: float, variant: str) -> None:
    """From 8:00 in Berlin on 1 December (7:00 UTC) on, and no longer from 18:00 on the 24th on."""
    schedule = {"from": "2025-12-01T08:00", "until": "2025-12-24T18:00", "time_zone": "Europe/Berlin"}
    evaluator = compiled({"winter": flag("boolean", enabled=True, schedule=schedule)})

    assert evaluator.evaluate("winter", now=now).variant == variant


def test_without_a_time_the_clock_is_asked():
    """A flag that began in 2025 counts, one that ended then does not."""
    begun, ended = ({"time_zone": "UTC", key: "2025-01-01T00:00"} for key in ("from", "until"))
    rules = [{"name": "r", "variant": "on", "schedule": ended}]
    evaluator = compiled({"begun": flag("boolean", enabled=True, schedule=begun), "ended": flag("rules", rules=rules)})

    assert time.time() > 1_735_689_600
    assert [evaluator.evaluate(key).variant for key in ("begun", "ended")] == ["on", "off"]


def test_a_tenants_override_wins_over_everything():
    """Also over being disabled; flags with other variants than on and off are left as they are."""
    evaluator = compiled(FLAGS, overrides={"share": True, "dead": False, "on": False, "ordered": True, "gone": True})

    assert answer(evaluator.evaluate("share")) == (True, "on", "STATIC", None)
    assert answer(evaluator.evaluate("dead")) == (False, "off", "STATIC", None)
    assert evaluator.evaluate("on").value is False
    assert evaluator.evaluate("ordered", "ann").variant == "blue"
    assert evaluator.evaluate("gone").error_code == "FLAG_NOT_FOUND"


@pytest.mark.parametrize("percentage", [-1, 100.5, float("nan"), float("inf")])
def test_percentages_that_no_schema_saw_are_refused(percentage: float) -> None:
    """Flags that are made in code have been checked by nobody."""
    with pytest.raises(FlagInvalid, match="percentage"):
        compiled({"flag": FlagDecision(type="percentage", percentage=percentage)})


def test_a_cycle_is_refused_by_its_name():
    """Instead of an endless evaluation."""
    flags = {name: flag("boolean", enabled=True, prerequisites=[{"flag": other}]) for name, other in ("ab", "bc", "ca")}

    with pytest.raises(FlagInvalid, match="a → b → c → a"):
        compiled(flags)


@settings(max_examples=200, deadline=None)
@given(flag_sets(), contexts)
def test_an_explanation_ends_where_the_evaluator_does(
    flags: dict[str, FlagDecision], context: tuple[str | None, dict[str, Any]]
) -> None:
    """Exactly one step decides, and it gives the evaluator's variant."""
    evaluator, plans = compiled(flags), plans_of(flags)
    for key in flags:
        told = explain(plans, evaluator, key, *context, now=NOW)
        assert told.variant == evaluator.evaluate(key, *context, now=NOW).variant
        assert [step.verdict for step in told.steps].count("decides") == 1


def test_an_explanation_names_rules_conditions_and_the_bucket():
    """What a person reads to understand an answer."""
    told = explain(plans_of(FLAGS), asked(), "ordered", "bob", {"tenant": "acme", "plan": "lead"}, now=NOW)

    assert [(step.asked, step.verdict) for step in told.steps] == [
        ("rule never", "fails"),
        ("user is one of none", "fails"),
        ("rule staff", "fails"),
        ("user is ann", "fails"),
        ("rule gold", "fails"),
        ("tenant is acme", "holds"),
        ("attribute plan is gold", "fails"),
        ("rule half", "decides"),
        ("tenant is acme", "holds"),
        ("default", "not asked"),
    ]
    assert told.buckets == 100_000_000
    assert (told.variant == "blue") == (told.bucket is not None and told.bucket < 50_000_000)


@pytest.mark.parametrize(
    ("key", "user", "message"),
    [
        ("gone", "ann", "there is no flag gone"),
        ("share", None, "the context has no targeting key, and a share of users is chosen by it"),
        ("share", "\ud800", "the targeting key is no text that UTF-8 can write"),
    ],
)
def test_an_error_says_what_is_missing(key: str, user: str | None, message: str) -> None:
    """In both ways of asking; a caller's own default counts then."""
    assert asked().evaluate(key, user).error_message == message
    assert asked().evaluate_as("boolean", key, user).error_message == message


def test_a_flag_that_could_not_be_read_says_why_whatever_type_is_asked_for():
    """It has a name, but no type, and no answer of its own."""
    evaluator = compiled({"on": FLAGS["on"]}, unreadable={"broken": "line 3: no variants"})

    for found in (evaluator.evaluate("broken"), evaluator.evaluate_as("string", "broken")):
        assert answer(found) == (None, None, "ERROR", "PARSE_ERROR")
        assert found.error_message == "line 3: no variants"
    assert evaluator.keys == ("broken", "on")


def test_a_rule_counts_within_its_schedule_alone():
    """From its first moment on, and no longer from its last on; others hear of the same moment."""
    schedule = {"time_zone": "UTC", "from": "2025-01-01T00:00", "until": "2025-01-02T00:00"}
    rules = [{"name": "first day", "variant": "on", "schedule": schedule, "users": ["ann"]}]
    needed = flag("rules", rules=rules)
    needing = flag("boolean", enabled=True, prerequisites=[{"flag": "rule"}])
    evaluator = compiled({"rule": needed, "needing": needing})
    begin, end = 1_735_689_600.0, 1_735_776_000.0

    for key in ("rule", "needing"):
        found = [evaluator.evaluate(key, "ann", now=now).variant for now in (begin - 0.1, begin, end - 0.1, end)]
        assert found == ["off", "on", "on", "off"]
        assert evaluator.evaluate_as("boolean", key, "ann", now=begin).variant == "on"
        assert evaluator.evaluate(key, "bob", now=begin).variant == "off"
