"""Pulumi's event stream, read line by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.engine.differences import field_changes
from infra.engine.events import Recorder, decode, unit_of
from infra.engine.plan import Plan
from policies.change_set import FieldChange

URN = "urn:pulumi:test::adx::adx:services:Service$kubernetes:core/v1:ConfigMap::service/cart/cart-configuration"


def step(op: str, urn: str = URN, **sides: Any) -> bytes:
    """The line that announces a step."""
    metadata = {"op": op, "urn": urn, "type": "kubernetes:core/v1:ConfigMap", **sides}
    return json.dumps({"sequence": 1, "resourcePreEvent": {"metadata": metadata}}).encode()


def message(severity: str, text: str, urn: str = "") -> bytes:
    """The line that carries a message."""
    return json.dumps({"diagnosticEvent": {"message": text, "severity": severity, "urn": urn}}).encode()


def recorded(*lines: bytes) -> Recorder:
    """A recorder that has seen these lines."""
    recorder = Recorder()
    for line in lines:
        event = decode(line)
        if event is not None:
            recorder.record(event)
    return recorder


def plan(*lines: bytes) -> Plan:
    """The plan that these lines tell."""
    return recorded(*lines).plan()


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"Hello from the program\n", b"{", b'{"resourcePreEvent": 1}', b"[1]", b'{"brandNewEvent": {}}'],
)
def test_lines_that_are_no_known_event_change_nothing(line: bytes):
    """A program may print what it likes, and newer engines say new things."""
    recorder = recorded(line)

    assert recorder.plan().is_empty
    assert recorder.diagnostics() == ()


def test_a_replacement_is_told_as_one_change():
    """Its three steps are one thing for a reader."""
    told = plan(step("create-replacement"), step("replace"), step("delete-replaced"))

    assert [(change.urn, change.action) for change in told.changes] == [(URN, "replace")]
    assert told.replaces == 1


def test_resources_that_stay_the_same_are_only_counted():
    """They are most of every plan."""
    told = plan(step("same"), step("same", "urn:x::y"), step("create", "urn:x::z"))

    assert (told.same, told.creates, len(told.changes)) == (2, 1, 1)


def test_the_order_of_events_does_not_change_the_digest():
    """Pulumi works in parallel; equal plans are equal."""
    one, other = step("create", "urn:x::a"), step("delete", "urn:x::b")

    assert plan(one, other).digest == plan(other, one).digest
    assert plan(one).digest != plan(other).digest


def test_an_update_names_its_fields():
    """Inputs before and after are compared leaf by leaf."""
    told = plan(step("update", old={"inputs": {"data": {"A": "1", "B": "2"}}}, new={"inputs": {"data": {"A": "3"}}}))

    assert told.changes[0].fields == (
        FieldChange(path="data.A", before='"1"', after='"3"'),
        FieldChange(path="data.B", before='"2"', after=None),
    )


def test_errors_about_resources_win_over_the_summary_of_failure():
    """``update failed`` explains nothing; each error is told once."""
    recorder = recorded(
        message("error", "refused", URN), message("error", "refused", URN), message("error", "update failed")
    )

    assert [(d.urn, d.message) for d in recorder.diagnostics()] == [(URN, "refused")]


def test_an_error_about_no_resource_is_told_when_there_is_no_other():
    """The program itself failed."""
    assert [d.message for d in recorded(message("error", "program failed")).diagnostics()] == ["program failed"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("platform", "platform"),
        ("platform/default-deny", "platform"),
        ("service/cart", "service/cart"),
        ("service/cart/cart", "service/cart"),
        ("tenant/acme/default-deny", "tenant/acme"),
        ("adx-development", ""),
        ("development", ""),
    ],
)
def test_the_unit_of_a_resource_stands_in_its_name(name: str, unit: str):
    """The stack and the provider belong to no unit."""
    assert unit_of(f"urn:pulumi:development::adx::some:type::{name}") == unit


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3, 4]}}, ["a.b[1]", "a.b[2]"]),
        ({"a": {"b": 1}}, {"a": 1}, ["a"]),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"a": None}, {}, ["a"]),
        ({"a": 1}, {"a": True}, ["a"]),
    ],
)
def test_differences_are_found_at_their_leaves(before: Any, after: Any, paths: list[str]):
    """Absent, null, numbers and booleans are all different things."""
    assert [change.path for change in field_changes(before, after)] == paths
