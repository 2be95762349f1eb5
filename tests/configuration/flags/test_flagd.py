"""The exported flag definition: flagd's own evaluator finds in it what ADX's evaluator finds in the flags."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from policies.configuration.flags import flagd
from policies.configuration.flags.errors import FlagsTooLarge
from policies.configuration.flags.evaluator import Evaluation, compiled
from policies.configuration.flags.spec import FlagDecision, FlagPrerequisite, FlagSchedule, FlagSpec
from tests.configuration.flags.flag_sets import NOW, contexts, flag_sets

CLOCK = "openfeature.contrib.tools.flagd.core.targeting.targeting.time"
Context = tuple[str | None, dict[str, Any]]


def variant_of_flagd(core: FlagdCore, key: str, context: Context) -> str | None:
    """What flagd gives, read as whatever type the flag has; None where the caller's default counts."""
    return core._resolve(key, None, EvaluationContext(*context)).variant


def core_with(flags: dict[str, FlagDecision]) -> FlagdCore:
    """flagd's evaluator after reading the export as the bytes that are delivered."""
    core = FlagdCore()
    core.set_flags(msgspec.json.encode(flagd.definition(flags)).decode())
    return core


@settings(max_examples=300, deadline=None)
@given(flag_sets(), st.lists(contexts, min_size=1, max_size=6), st.sampled_from([NOW, NOW + 8000, NOW - 10**8]))
def test_flagd_gives_the_variant_that_adx_gives(flags: dict[str, FlagDecision], asked: list[Context], now: int) -> None:
    """For any flags and contexts; only without a usable targeting key ADX has an error where flagd has a default."""
    evaluator, core = compiled(flags), core_with(flags)
    with mock.patch(CLOCK) as clock:
        clock.time.return_value = now
        for key in flags:
            for context in asked:
                ours = evaluator.evaluate(key, *context, now=now)
                if ours.reason == "ERROR":
                    assert (ours.error_code, bool(context[0])) == ("TARGETING_KEY_MISSING", False)
                    continue
                assert variant_of_flagd(core, key, context) == ours.variant


@pytest.mark.parametrize("now", [1_764_572_399, 1_764_572_400, 1_766_595_599, 1_766_595_600])
def test_a_schedule_begins_and_ends_in_the_same_second(now: int):
    """8:00 in Berlin on 1 December 2025 to 18:00 on the 24th."""
    schedule = FlagSchedule(from_="2025-12-01T08:00", until="2025-12-24T18:00", time_zone="Europe/Berlin")
    flags = {"winter": FlagDecision(type="boolean", enabled=True, schedule=schedule)}
    with mock.patch(CLOCK) as clock:
        clock.time.return_value = now
        found = variant_of_flagd(core_with(flags), "winter", (None, {}))

    assert found == compiled(flags).evaluate("winter", now=now).variant
    assert found == ("on" if 1_764_572_400 <= now < 1_766_595_600 else "off")


def test_without_targeting_key_flagd_goes_on_with_the_default():
    """ADX says what is missing."""
    flags = {"p": FlagDecision(type="percentage", percentage=99.0)}

    assert compiled(flags).evaluate("p").error_code == "TARGETING_KEY_MISSING"
    assert variant_of_flagd(core_with(flags), "p", (None, {})) == "off"
    assert variant_of_flagd(core_with(flags), "p", ("", {})) == "off"


def test_a_prerequisite_is_decided_by_its_own_bucket():
    """Inlined into another flag, a percentage still hashes the flag that it belongs to."""
    flags = {
        "base": FlagDecision(type="percentage", percentage=50.0),
        "next": FlagDecision(type="boolean", enabled=True, prerequisites=(FlagPrerequisite(flag="base"),)),
    }
    core = core_with(flags)
    users = [f"user-{number}" for number in range(500)]

    having = [variant_of_flagd(core, "next", (user, {})) for user in users]
    assert having == [compiled(flags).evaluate("base", user).variant for user in users]
    assert set(having) == {"on", "off"}


def test_a_definition_says_its_schema_state_and_owner():
    """What flagd's documents have beside the targeting."""
    flag = FlagSpec(name="a", description="d", owner="team-a", type="boolean", enabled=True)
    off = FlagDecision(type="boolean", enabled=True, disabled=True)

    assert flagd.definition({"a": flag, "b": off}, environment="staging") == {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "metadata": {"environment": "staging"},
        "flags": {
            "a": {
                "state": "ENABLED",
                "variants": {"on": True, "off": False},
                "defaultVariant": "on",
                "metadata": {"owner": "team-a"},
            },
            "b": {"state": "DISABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"},
        },
    }


def test_every_condition_has_the_three_arguments_that_flagd_allows():
    """Its schema refuses longer chains; rules nest instead."""
    rules = [{"name": f"r{index}", "tenants": ["acme"], "variant": "on"} for index in range(4)]
    flag = msgspec.convert({"type": "rules", "rules": rules}, FlagDecision)

    def conditions(logic: Any) -> list[int]:
        if isinstance(logic, dict):
            own = [len(logic["if"])] if "if" in logic else []
            return own + [count for value in logic.values() for count in conditions(value)]
        return [count for value in logic for count in conditions(value)] if isinstance(logic, list) else []

    assert conditions(json.loads(msgspec.json.encode(flagd.definition({"a": flag})))) == [3, 3, 3, 3]


def test_prerequisites_that_multiply_are_refused_before_they_are_written_out():
    """Each level repeats those below it five times."""
    flags = {"a0": FlagDecision(type="user_list", users=tuple(f"user-{number}" for number in range(5000)))}
    previous = ["a0"]
    for level in range(1, 6):
        names = [f"a{level}{place}" for place in range(5)]
        wanted = tuple(FlagPrerequisite(flag=name) for name in previous)
        flags |= {name: FlagDecision(type="boolean", enabled=True, prerequisites=wanted) for name in names}
        previous = names

    with pytest.raises(FlagsTooLarge, match="1000000 bytes"):
        flagd.definition(flags)


def test_evaluations_are_made_once():
    """Evaluating makes no objects: the same answer is the same object."""
    evaluator = compiled({"p": FlagDecision(type="percentage", percentage=100.0)})

    assert evaluator.evaluate("p", "ann") is evaluator.evaluate("p", "bob")
    assert evaluator.evaluate("p", "ann") == Evaluation(True, "on", "STATIC")
