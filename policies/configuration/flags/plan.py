"""What a flag means: one form for all types, which the evaluator, the export and the explanation read. Pure.

=============  ==============================================================
type           rules
=============  ==============================================================
boolean        none, or one that gives ``on`` to everybody
percentage     one with a split of ``on`` and ``off``; none at 0, all at 100
user_list      one that gives ``on`` to the users
tenant_list    one that gives ``on`` to the tenants
rules          those that are declared
=============  ==============================================================

Whom no rule fits gets the default, and so does everybody outside the flag's
schedule or without its prerequisites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.configuration.flags.bucketing import PARTS, parts_of
from policies.configuration.flags.checks import CHECKS, ON_OFF
from policies.configuration.flags.errors import FlagInvalid
from policies.configuration.flags.prerequisites import troubles
from policies.configuration.flags.schedules import Span, span_of
from policies.configuration.flags.spec import FlagDecision, FlagPrerequisite, FlagRule, FlagSchedule

Shares = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """One rule. ``shares`` are variants with weights; a single one is given to all whom the rule fits.

    A condition that is None is not asked.
    """

    name: str
    shares: Shares
    users: frozenset[str] | None = None
    tenants: frozenset[str] | None = None
    attributes: tuple[tuple[str, frozenset[str]], ...] = ()
    span: Span | None = None

    @property
    def is_split(self) -> bool:
        """Whether the user's bucket decides."""
        return len(self.shares) > 1

    @property
    def fits_everybody(self) -> bool:
        """Whether nothing is asked."""
        return self.users is None and self.tenants is None and not self.attributes and self.span is None


@dataclass(frozen=True, slots=True)
class FlagPlan:
    """One flag: asked in this order are ``disabled``, ``span``, ``prerequisites``, the rules one by one."""

    key: str
    variants: Mapping[str, Any]
    default: str
    rules: tuple[PlannedRule, ...]
    prerequisites: tuple[FlagPrerequisite, ...] = ()
    span: Span | None = None
    disabled: bool = False

    @property
    def fixed(self) -> str | None:
        """The variant that everybody gets always; None where that depends."""
        if self.disabled or self.prerequisites or self.span is not None:
            return None
        if not self.rules:
            return self.default
        first = self.rules[0]
        return first.shares[0][0] if first.fits_everybody and not first.is_split else None


def plan_of(key: str, flag: FlagDecision) -> FlagPlan:
    """The plan of one flag. Raises FlagInvalid for the first thing that is wrong with it."""
    for check in CHECKS:
        for trouble in check(flag):
            raise FlagInvalid(key, *trouble)
    default = flag.default or "off"
    return FlagPlan(
        key=key,
        variants=flag.variants if flag.variants is not None else ON_OFF,
        default=default,
        rules=tuple(_planned(rule, default) for rule in _rules(flag)),
        prerequisites=flag.prerequisites,
        span=_span(flag.schedule),
        disabled=flag.disabled,
    )


def plans_of(flags: Mapping[str, FlagDecision]) -> dict[str, FlagPlan]:
    """The plans of flags that go together. Raises FlagInvalid."""
    for trouble in troubles(flags):
        raise FlagInvalid(*trouble)
    return {key: plan_of(key, flag) for key, flag in flags.items()}


def _rules(flag: FlagDecision) -> tuple[FlagRule, ...]:
    match flag.type:
        case "boolean":
            return (FlagRule(name="enabled", variant="on"),) if flag.enabled else ()
        case "percentage":
            return (FlagRule(name="percentage", variant="on", percentage=flag.percentage),) if flag.percentage else ()
        case "user_list":
            return (FlagRule(name="users", variant="on", users=flag.users),)
        case "tenant_list":
            return (FlagRule(name="tenants", variant="on", tenants=flag.tenants),)
        case _:
            return flag.rules or ()


def _planned(rule: FlagRule, default: str) -> PlannedRule:
    return PlannedRule(
        name=rule.name,
        shares=_shares(rule, default),
        users=None if rule.users is None else frozenset(rule.users),
        tenants=None if rule.tenants is None else frozenset(rule.tenants),
        attributes=tuple((name, frozenset(values)) for name, values in sorted(rule.attributes.items())),
        span=_span(rule.schedule),
    )


def _shares(rule: FlagRule, default: str) -> Shares:
    """Shares without weight stay: they are where their variant will grow."""
    if rule.split is not None:
        return tuple((share.variant, share.weight) for share in rule.split)
    variant = rule.variant or default
    if rule.percentage is None or rule.percentage == 100:
        return ((variant, PARTS),)
    parts = parts_of(rule.percentage)
    return ((variant, parts), (default, PARTS - parts)) if parts else ((default, PARTS),)


def _span(schedule: FlagSchedule | None) -> Span | None:
    return None if schedule is None else span_of(schedule)
