"""Flags in the environment's ConfigMap: ADX's document as it always was, and flagd's beside it."""

from __future__ import annotations

import json

import msgspec
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from infra.render import render_unit
from policies.configuration.flags.evaluator import compiled
from policies.configuration.flags.spec import FlagRule, FlagSpec
from policies.configuration.flags.wire import read_flags
from policies.desired_state import PlatformInputs, Unit, digest_of, platform_inputs
from tests.support.declared import base_documents, declarations, edit
from tests.support.desired import platform_unit

FLAGS = "environments/development/flags.yaml"


def delivered(unit: Unit) -> dict[str, str]:
    """The data of the ConfigMap."""
    (body,) = [body for body in render_unit(unit) if body["kind"] == "ConfigMap"]
    return dict(body["data"])


def with_flags(unit: Unit, *flags: FlagSpec) -> Unit:
    """The platform with other flags."""
    assert isinstance(unit.inputs, PlatformInputs)
    return msgspec.structs.replace(unit, inputs=msgspec.structs.replace(unit.inputs, flags=flags))


def test_flagd_and_adx_read_the_same_of_what_is_delivered():
    """Each its own document, for many users."""
    data = delivered(platform_unit())
    core, evaluator = FlagdCore(), compiled(read_flags(data["flags.json"].encode()).flags)
    core.set_flags(data["flags.flagd.json"])

    for key in evaluator.keys:
        for number in range(200):
            user, attributes = f"user-{number}", {"tenant": "acme"}
            theirs = core.resolve_boolean_value(key, False, EvaluationContext(user, attributes))
            assert theirs.variant == evaluator.evaluate(key, user, attributes).variant


def test_a_state_that_no_longer_validates_is_still_rendered():
    """It was delivered once, and may have to be restored: only what is new is left out."""
    broken = FlagSpec(name="a", description="d", owner="o", type="rules", rules=(FlagRule(name="gives-nothing"),))
    data = delivered(with_flags(platform_unit(), broken))

    assert data.keys() == {"flags.json"}
    assert json.loads(data["flags.json"])["a"]["type"] == "rules"


def test_the_order_of_rules_is_a_change_and_that_of_lists_is_none():
    """Rules are asked in their order; tenants and users are not."""
    first = {"name": "a", "tenants": ["acme", "globex"], "variant": "on"}
    second = {"name": "b", "users": ["ann", "bob"], "variant": "off"}
    turned = {**first, "tenants": ["globex", "acme"]}

    def digest(*rules: object) -> str:
        documents = base_documents()
        flag = {"name": "new", "description": "d", "owner": "o", "type": "rules", "rules": list(rules)}
        edit(documents, FLAGS, "flags[2]", flag)
        return digest_of(platform_inputs(declarations(documents).environments["development"]))

    assert digest(first, second) == digest(turned, {**second, "users": ["bob", "ann"]})
    assert digest(first, second) != digest(second, first)
