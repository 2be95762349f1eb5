"""Flags → a flag definition of flagd, which its clients in any language read. Pure.

The format: flagd.dev/reference/flag-definitions; ``if`` has three arguments there,
so rules nest. flagd knows no prerequisites: the targeting of the flag that is
asked for stands inside the one that asks. A share of users is chosen by
``fractional`` over flag and targeting key in the form whose flag is written
out, as the short form would hash the flag that asks. Whom nothing fits gets
null, which is the default variant to flagd. Without a targeting key so does
everybody of whom a share would be chosen; ADX's own evaluator answers
TARGETING_KEY_MISSING there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from policies.configuration.flags.errors import FlagsTooLarge
from policies.configuration.flags.plan import FlagPlan, PlannedRule, plans_of
from policies.configuration.flags.prerequisites import order_of
from policies.configuration.flags.schedules import Span
from policies.configuration.flags.spec import FlagDecision, FlagSpec

SCHEMA = "https://flagd.dev/schema/v0/flags.json"
MAX_DEFINITION_BYTES = 1_000_000
"""Prerequisites are repeated wherever they are asked for; a definition beyond this fits no ConfigMap."""

Logic = Any
_KEY = {"var": "targetingKey"}
_NOW = {"var": "$flagd.timestamp"}


def definition(flags: Mapping[str, FlagDecision], **metadata: str) -> dict[str, Any]:
    """The flag definition of ``flags``, plain data for JSON; ``metadata`` is what clients are told of all of them.

    Raises FlagInvalid, and FlagsTooLarge when the definition would be larger than MAX_DEFINITION_BYTES.
    """
    plans = plans_of(flags)
    check_size(flags, plans)
    inlined: dict[str, Logic] = {}
    for key in order_of(flags):
        inlined[key] = _inlined(plans[key], inlined)
    exported = {key: _flag(plans[key], flags[key], inlined) for key in sorted(plans)}
    return {"$schema": SCHEMA, "flags": exported} | ({"metadata": metadata} if metadata else {})


def check_size(flags: Mapping[str, FlagDecision], plans: Mapping[str, FlagPlan]) -> None:
    """Raises FlagsTooLarge, naming the flag with which the definition becomes too large; makes nothing of that size."""
    sizes: dict[str, int] = {}
    total = 0
    for key in order_of(flags):
        own = len(msgspec.json.encode(_targeting(plans[key], {}, None)))
        values = len(msgspec.json.encode(plans[key].variants))
        sizes[key] = own + sum(sizes[wanted.flag] for wanted in plans[key].prerequisites)
        total += sizes[key] + values
        if total > MAX_DEFINITION_BYTES:
            what = f"with it the flags of the environment take more than {MAX_DEFINITION_BYTES} bytes"
            raise FlagsTooLarge(key, "", what, "name fewer users: give them an attribute, a tenant or a percentage")


def _flag(plan: FlagPlan, flag: FlagDecision, inlined: Mapping[str, Logic]) -> dict[str, Any]:
    fixed = plan.fixed
    made: dict[str, Any] = {
        "state": "DISABLED" if plan.disabled else "ENABLED",
        "variants": dict(plan.variants),
        "defaultVariant": plan.default if fixed is None else fixed,
    }
    targeting = None if plan.disabled or fixed is not None else _targeting(plan, inlined, None)
    if targeting is not None:
        made["targeting"] = targeting
    if isinstance(flag, FlagSpec):
        made["metadata"] = {"owner": flag.owner}
    return made


def _inlined(plan: FlagPlan, others: Mapping[str, Logic]) -> Logic:
    """What says the variant of ``plan`` inside another flag; the empty text where it has none."""
    if plan.disabled:
        return ""
    return plan.fixed if plan.fixed is not None else _targeting(plan, others, plan.default)


def _targeting(plan: FlagPlan, others: Mapping[str, Logic], otherwise: str | None) -> Logic:
    """``otherwise`` is for whom nothing fits."""
    logic: Logic = otherwise
    for rule in reversed(plan.rules):
        logic = _if(_all(_conditions(rule)), _outcome(plan.key, rule, otherwise), logic)
    conditions = [] if plan.span is None else _in_span(plan.span)
    conditions += [{"==": [others.get(one.flag), one.variant]} for one in plan.prerequisites]
    return _if(_all(conditions), logic, otherwise)


def _if(condition: Logic | None, then: Logic, otherwise: Logic) -> Logic:
    return then if condition is None else {"if": [condition, then, otherwise]}


def _all(conditions: list[Logic]) -> Logic | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return {"and": conditions}


def _conditions(rule: PlannedRule) -> list[Logic]:
    found = [] if rule.span is None else _in_span(rule.span)
    if rule.users is not None:
        found.append({"in": [_KEY, sorted(rule.users)]})
    if rule.tenants is not None:
        found.append({"in": [{"var": "tenant"}, sorted(rule.tenants)]})
    return found + [{"in": [{"var": name}, sorted(values)]} for name, values in rule.attributes]


def _in_span(span: Span) -> list[Logic]:
    """Whole seconds: flagd's clock has no others."""
    found: list[Logic] = []
    if math.isfinite(span.start):
        found.append({">=": [_NOW, int(span.start)]})
    if math.isfinite(span.end):
        found.append({"<": [_NOW, int(span.end)]})
    return found


def _outcome(key: str, rule: PlannedRule, otherwise: str | None) -> Logic:
    if not rule.is_split:
        return rule.shares[0][0]
    split = {"fractional": [{"cat": [key, _KEY]}, *([variant, weight] for variant, weight in rule.shares)]}
    # Without a key, "cat" would write "null" behind the flag, and nobody would choose a share by that.
    return {"if": [_KEY, split, otherwise]}
