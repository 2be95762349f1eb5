"""What is delivered of flags, and how it is read again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from policies.configuration.flags import wire
from policies.configuration.flags.errors import FlagsUnreadable
from policies.configuration.flags.evaluator import compiled
from policies.configuration.flags.spec import FlagDecision, FlagPrerequisite, FlagSpec, normal_decision
from tests.configuration.flags.flag_sets import flag_sets


def named(flags: dict[str, FlagDecision]) -> list[FlagSpec]:
    """The flags with what describes them."""
    return [
        msgspec.convert({**msgspec.to_builtins(flag), "name": name, "description": "d", "owner": "o"}, FlagSpec)
        for name, flag in flags.items()
    ]


@settings(max_examples=100, deadline=None)
@given(flag_sets())
def test_what_is_delivered_is_read_again(flags: dict[str, FlagDecision]) -> None:
    """Every kind of flag, whatever the order in which it was written."""
    document = msgspec.json.encode(wire.adx_document(named(flags)), order="deterministic")
    read = wire.read_flags(document)

    assert read.unreadable == {}
    assert {name: normal_decision(flag) for name, flag in read.flags.items()} == {
        name: normal_decision(flag) for name, flag in flags.items()
    }


def test_simple_flags_are_delivered_as_they_always_were():
    """Readers of before need to know nothing of rules."""
    assert wire.flag_value(FlagDecision(type="percentage", percentage=12.5)) == {
        "type": "percentage",
        "percentage": 12.5,
    }


@pytest.mark.parametrize("document", [b"", b"[]", b"\xff", b'{"a": }', b"[" * 100_000])
def test_what_is_no_document_of_flags_is_refused(document: bytes) -> None:
    """Whoever had flags keeps them; see the provider."""
    with pytest.raises(FlagsUnreadable):
        wire.read_flags(document)


def test_a_flag_of_a_newer_version_is_put_aside_with_those_that_need_it():
    """The others go on."""
    flags: dict[str, Any] = {
        "good": {"type": "boolean", "enabled": True},
        "newer": {"type": "boolean", "enabled": True, "mood": "blue"},
        "broken": {"type": "percentage", "percentage": 101},
        "needs": {"type": "boolean", "enabled": True, "prerequisites": [{"flag": "newer"}]},
        "needs-that": {"type": "boolean", "enabled": True, "prerequisites": [{"flag": "needs"}]},
    }
    read = wire.read_flags(msgspec.json.encode(flags))
    evaluator = compiled(read.flags, unreadable=read.unreadable)

    assert set(read.unreadable) == {"newer", "broken", "needs", "needs-that"}
    assert evaluator.evaluate("good").value is True
    assert evaluator.evaluate("newer").error_code == "PARSE_ERROR"
    assert evaluator.evaluate_as("boolean", "newer").error_code == "PARSE_ERROR"
    assert "mood" in str(evaluator.evaluate("newer").error_message)


def test_a_state_of_which_flagd_cannot_be_told_is_still_delivered_to_adx():
    """What an older version delivered must be restorable."""
    (flag,) = named({"a": FlagDecision(type="boolean", enabled=True, prerequisites=(FlagPrerequisite(flag="gone"),))})

    assert wire.delivered("staging", [flag]).keys() == {"flags.json"}
