"""What must hold of one flag beyond its shape. Pure; says nothing about files and lines.

The rules of the repository report it with its place, the evaluator refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

from policies.configuration.flags import schedules
from policies.configuration.flags.bucketing import LARGEST_TOTAL
from policies.configuration.flags.spec import FlagDecision, FlagLifetime, FlagRule, FlagSpec
from policies.findings import repeated, suggestion

VALUE_FIELDS = {
    "boolean": "enabled",
    "percentage": "percentage",
    "user_list": "users",
    "tenant_list": "tenants",
    "rules": "rules",
}
ON_OFF = {"on": True, "off": False}
_OWN_NAMES = {"tenant": "write tenants", "targetingKey": "write users"}
_KINDS: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("true or false", bool),
    ("a text", str),
    ("a number", (int, float)),
    ("a mapping", dict),
)


class Trouble(NamedTuple):
    """One thing wrong at ``path`` within the flag (empty: the flag itself)."""

    path: str
    what: str
    fix: str


Check = Callable[[FlagDecision], Iterator[Trouble]]


def value_troubles(flag: FlagDecision) -> Iterator[Trouble]:
    """The one value that is set is the one that the type asks for."""
    wanted = VALUE_FIELDS[flag.type]
    found = [field for field in VALUE_FIELDS.values() if getattr(flag, field) is not None]
    if wanted not in found:
        what = f"it is of type {flag.type}, but has no {wanted}"
        yield Trouble("", what, f"set {wanted}" + (f" instead of {' and '.join(found)}" if found else ""))
        return
    for field in found:
        if field != wanted:
            yield Trouble(field, f"it is of type {flag.type}, which has no {field}", f"leave out {field}")
    yield from (Trouble("percentage", f"it {what}", fix) for what, fix in _percentage_troubles(flag.percentage))


def variant_troubles(flag: FlagDecision) -> Iterator[Trouble]:
    """Variants have values of one kind, and those that are named exist."""
    variants = flag.variants if flag.variants is not None else ON_OFF
    kinds = {kind_of(value) for value in variants.values()}
    if len(kinds) > 1:
        what = f"it has variants of several kinds: {', '.join(sorted(kinds))}"
        yield Trouble("variants", what, "give all variants values of one kind")
    if flag.type != "rules":
        if variants.keys() != ON_OFF.keys():
            what = f"it is of type {flag.type}, whose variants are on and off"
            yield Trouble("variants", what, "name them on and off, or write type rules")
        if flag.default is not None:
            yield Trouble("default", f"it is of type {flag.type}, whose default is off", "leave out default")
        return
    if flag.default is None and "off" not in variants:
        yield Trouble("", "it says no default, and has no variant off", f"set default to one of {_listed(variants)}")
    for path, name in _named_variants(flag):
        if name not in variants:
            yield Trouble(path, f"it has no variant {name}", suggestion(name, variants, "add it to variants"))


def rule_troubles(flag: FlagDecision) -> Iterator[Trouble]:
    """Every rule gives something, can be reached, and has a name of its own."""
    rules = flag.rules or ()
    for index, name, first in repeated(rule.name for rule in rules):
        what = f"the rule {name} is already there as rules[{first}]"
        yield Trouble(f"rules[{index}].name", what, "give each rule a name of its own")
    for index, rule in enumerate(rules):
        for trouble in _rule_troubles(rule):
            yield Trouble(f"rules[{index}]{trouble.path}", f"the rule {rule.name} {trouble.what}", trouble.fix)
        if index + 1 < len(rules) and _fits_everybody(rule):
            what = f"the rule {rule.name} fits everybody, so that no rule after it is ever reached"
            yield Trouble(f"rules[{index}]", what, "put it last, or say whom it is for")


def schedule_troubles(flag: FlagDecision) -> Iterator[Trouble]:
    """Schedules begin and end at times that exist, in that order."""
    for path, schedule in [
        ("schedule", flag.schedule),
        *((f"rules[{index}].schedule", rule.schedule) for index, rule in enumerate(flag.rules or ())),
    ]:
        if schedule is not None:
            for place, what, fix in schedules.troubles(schedule):
                yield Trouble(f"{path}{place}", what, fix)


def lifetime_troubles(flag: FlagDecision) -> Iterator[Trouble]:
    """A lifetime is so many days from a day, or for ever."""
    lifetime = flag.lifetime if isinstance(flag, FlagSpec) else None
    if lifetime is None:
        return
    if lifetime.permanent == (lifetime.created is not None or lifetime.days is not None):
        both = "is for ever and for a number of days" if lifetime.permanent else "says nothing"
        yield Trouble("lifetime", f"the lifetime {both}", "set created and days, or permanent: true")
    elif not lifetime.permanent and (lifetime.created is None or lifetime.days is None):
        missing = "created" if lifetime.created is None else "days"
        yield Trouble("lifetime", f"the lifetime has no {missing}", f"add {missing}")
    elif lifetime.created is not None and day_of(lifetime) is None:
        yield Trouble("lifetime.created", f"the calendar has no {lifetime.created}", "write a day that exists")


CHECKS: tuple[Check, ...] = (
    value_troubles,
    variant_troubles,
    rule_troubles,
    schedule_troubles,
    lifetime_troubles,
)


def kind_of(value: Any) -> str:
    """What kind of value a variant has, in words."""
    return next((name for name, types in _KINDS if isinstance(value, types)), "something else")


def day_of(lifetime: FlagLifetime) -> date | None:
    """The day the flag was made; None when the calendar has none such, or nothing is said."""
    try:
        return date.fromisoformat(lifetime.created or "")
    except ValueError:
        return None


def _rule_troubles(rule: FlagRule) -> Iterator[Trouble]:
    if (rule.variant is None) == (rule.split is None):
        both = "both a variant and a split" if rule.split is not None else "neither a variant nor a split"
        yield Trouble("", f"gives {both}", "set exactly one of variant and split")
    elif rule.split is not None:
        if rule.percentage is not None:
            yield Trouble(".percentage", "has a split, which has no percentage", "leave out percentage")
        yield from _split_troubles(rule)
    yield from (Trouble(".percentage", what, fix) for what, fix in _percentage_troubles(rule.percentage))
    for name in rule.attributes:
        if name in _OWN_NAMES:
            yield Trouble(f".attributes.{name}", f"asks for the attribute {name}, which has a key", _OWN_NAMES[name])


def _split_troubles(rule: FlagRule) -> Iterator[Trouble]:
    shares = rule.split or ()
    for index, name, first in repeated(share.variant for share in shares):
        yield Trouble(f".split[{index}].variant", f"has {name} twice in its split", f"add it to split[{first}]")
    if any(share.weight < 0 for share in shares):
        yield Trouble(".split", "has a weight below 0", "write 0 or more")
    elif not 0 < sum(share.weight for share in shares) <= LARGEST_TOTAL:
        what = f"has weights that add up to {sum(share.weight for share in shares)}"
        yield Trouble(".split", what, f"let them add up to 1 at least and {LARGEST_TOTAL} at most")


def _percentage_troubles(percentage: float | None) -> Iterator[tuple[str, str]]:
    """The schema says so too; flags that no schema has seen are compiled as well."""
    if percentage is not None and not (math.isfinite(percentage) and 0 <= percentage <= 100):
        yield f"has a percentage of {percentage}", "write a number from 0 to 100"


def _named_variants(flag: FlagDecision) -> Iterator[tuple[str, str]]:
    if flag.default is not None:
        yield "default", flag.default
    for index, rule in enumerate(flag.rules or ()):
        if rule.variant is not None:
            yield f"rules[{index}].variant", rule.variant
        for place, share in enumerate(rule.split or ()):
            yield f"rules[{index}].split[{place}].variant", share.variant


def _fits_everybody(rule: FlagRule) -> bool:
    return rule.users is None and rule.tenants is None and not rule.attributes and rule.schedule is None


def _listed(names: dict[str, Any]) -> str:
    return ", ".join(sorted(names)[:8])
