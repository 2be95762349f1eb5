"""Flags for tests: sets of every kind that go together, and contexts that hit and miss them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from policies.configuration.flags.spec import (
    FlagDecision,
    FlagPrerequisite,
    FlagRule,
    FlagSchedule,
    FlagShare,
)

NAMES = tuple("abcdef")
USERS = ("ann", "bob", "cy", "d'or", "ümit", "x" * 30)
TENANTS = ("acme", "globex")
VARIANTS: tuple[dict[str, Any], ...] = (
    {"on": True, "off": False},
    {"on": "new", "off": "", "beta": "b"},
    {"on": 1, "off": 0, "beta": 2.5},
    {"on": {"limit": 3, "deep": {"a": [1, None]}}, "off": {}, "beta": {"limit": 0}},
)
NOW = 1_790_000_000

percentages = st.sampled_from([0.0, 0.000_001, 1.0, 12.5, 50.0, 99.999_999, 100.0]) | st.floats(0, 100)
some_users = st.lists(st.sampled_from(USERS), unique=True, max_size=4).map(tuple)
some_tenants = st.lists(st.sampled_from(TENANTS), unique=True, max_size=2).map(tuple)
times = st.sampled_from(["2026-01-01T00:00", "2026-09-21T13:33", "2026-09-21T16:13", "2027-03-01T12:00", None])


@st.composite
def schedules(draw: st.DrawFn) -> FlagSchedule | None:
    """Nothing, or a span in one of several zones around NOW (2026-09-21T14:13:20Z)."""
    begins, ends = draw(times), draw(times)
    if begins is None and ends is None:
        return None
    if begins is not None and ends is not None:
        if begins == ends:
            return None
        begins, ends = sorted((begins, ends))
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
    return FlagSchedule(time_zone=zone, from_=begins, until=ends)


@st.composite
def rules(draw: st.DrawFn, name: str, variants: tuple[str, ...], *, is_last: bool) -> FlagRule:
    """A rule that gives one of ``variants``, or shares of them; asks something unless it is the last."""
    rule = FlagRule(
        name=name,
        users=draw(st.none() | some_users),
        tenants=draw(some_tenants if not is_last else st.none() | some_tenants),
        attributes=draw(st.sampled_from([{}, {"plan": ("gold", "silver")}, {"plan": (), "country": ("DE",)}])),
        schedule=draw(schedules()),
        variant=None,
    )
    fields = {field: getattr(rule, field) for field in rule.__struct_fields__}
    if draw(st.booleans()):
        shares = [FlagShare(variant=one, weight=draw(st.integers(0, 1000))) for one in variants]
        shares[0] = FlagShare(variant=variants[0], weight=draw(st.integers(1, 10**9)))
        return FlagRule(**{**fields, "split": tuple(shares)})
    chosen = draw(st.sampled_from(variants))
    return FlagRule(**{**fields, "variant": chosen, "percentage": draw(st.none() | percentages)})


@st.composite
def flags(draw: st.DrawFn, earlier: dict[str, FlagDecision]) -> FlagDecision:
    """A flag of any type whose prerequisites are among ``earlier``."""
    wanted = draw(st.lists(st.sampled_from(sorted(earlier)), max_size=2, unique=True)) if earlier else []
    prerequisites = tuple(FlagPrerequisite(flag=one, variant=draw(st.sampled_from(["on", "off"]))) for one in wanted)
    common: dict[str, Any] = {
        "prerequisites": prerequisites,
        "schedule": draw(schedules()),
        "disabled": draw(st.sampled_from([False] * 7 + [True])),
    }
    match draw(st.sampled_from(["boolean", "percentage", "user_list", "tenant_list", "rules", "rules"])):
        case "boolean":
            return FlagDecision(type="boolean", enabled=draw(st.booleans()), **common)
        case "percentage":
            return FlagDecision(type="percentage", percentage=draw(percentages), **common)
        case "user_list":
            return FlagDecision(type="user_list", users=draw(some_users), **common)
        case "tenant_list":
            return FlagDecision(type="tenant_list", tenants=draw(some_tenants), **common)
        case _:
            variants = draw(st.sampled_from(VARIANTS))
            names, count = tuple(variants), draw(st.integers(0, 3))
            made = tuple(draw(rules(f"rule-{number}", names, is_last=number == count - 1)) for number in range(count))
            default = draw(st.none() | st.sampled_from(names))
            return FlagDecision(type="rules", rules=made, variants=variants, default=default, **common)


@st.composite
def flag_sets(draw: st.DrawFn) -> dict[str, FlagDecision]:
    """Up to six flags that depend on one another."""
    found: dict[str, FlagDecision] = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        found[name] = draw(flags(found))
    return found


odd_values = st.sampled_from([None, 1, 1.5, True, ["acme"], {"plan": "gold"}])
contexts = st.tuples(
    st.none() | st.just("") | st.sampled_from(USERS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.fixed_dictionaries(
        {},
        optional={
            "tenant": st.sampled_from(TENANTS) | odd_values,
            "plan": st.sampled_from(["gold", "lead", ""]) | odd_values,
            "country": st.sampled_from(["DE", "de"]),
        },
    ),
)
