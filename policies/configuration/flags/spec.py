"""Feature flags of one environment as they are declared: ``environments/<env>/flags.yaml``.

Shape only: what must hold beyond it is in :mod:`policies.configuration.flags.checks`,
what it means in :mod:`policies.configuration.flags.plan`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import field

from policies.spec import Spec

FlagType = Literal["boolean", "percentage", "user_list", "tenant_list", "rules"]


class FlagSchedule(Spec):
    """A span of time by the clocks of ``time_zone``: local date-times (``2026-12-18T18:00``).

    From ``from_`` on, and no longer from ``until`` on; at least one of the two is given.
    """

    time_zone: str
    from_: str | None = field(name="from", default=None)
    until: str | None = None


class FlagLifetime(Spec):
    """How long the flag is meant to exist: ``days`` from ``created`` (``2026-09-01``), or for ever."""

    created: str | None = None
    days: int | None = None
    permanent: bool = False


class FlagPrerequisite(Spec):
    """The flag counts only for those who get ``variant`` of the flag ``flag``."""

    flag: str
    variant: str = "on"


class FlagShare(Spec):
    """``variant`` for ``weight`` parts of all that a split adds up to."""

    variant: str
    weight: int


class FlagRule(Spec):
    """Who gets what; the first rule that fits decides, whatever it gives.

    It fits when all of ``users``, ``tenants``, ``attributes`` and ``schedule``
    that are given do. It gives ``variant``, or with ``percentage`` that share
    of users only and the flag's default to the others, or what ``split`` says.
    """

    name: str
    users: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    schedule: FlagSchedule | None = None
    variant: str | None = None
    percentage: float | None = None
    split: tuple[FlagShare, ...] | None = None


class FlagDecision(Spec, kw_only=True):
    """How a flag is decided: all that an evaluator needs, and all that is delivered.

    ``type`` says which of ``enabled``, ``percentage``, ``users``, ``tenants`` and
    ``rules`` is set. ``percentage`` is of users, 0 to 100. ``variants`` are the
    values by name; without any, ``on`` is true and ``off`` is false. Whom the
    flag does not reach gets ``default``, which is ``off`` if nothing else is said.
    """

    type: FlagType
    enabled: bool | None = None
    percentage: float | None = None
    users: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    rules: tuple[FlagRule, ...] | None = None
    variants: dict[str, Any] | None = None
    default: str | None = None
    prerequisites: tuple[FlagPrerequisite, ...] = ()
    schedule: FlagSchedule | None = None
    disabled: bool = False


class FlagSpec(FlagDecision, kw_only=True):
    """One feature flag."""

    name: str
    description: str
    owner: str
    lifetime: FlagLifetime | None = None


class FlagsSpec(Spec):
    """All feature flags of one environment."""

    environment: str
    flags: tuple[FlagSpec, ...]


AnyFlag = TypeVar("AnyFlag", bound=FlagDecision)


def decision_of(flag: FlagDecision) -> FlagDecision:
    """What decides ``flag``, without what describes it."""
    return FlagDecision(**{name: getattr(flag, name) for name in FlagDecision.__struct_fields__})


def tenants_of(flag: FlagDecision) -> tuple[str, ...]:
    """Every tenant that the flag names anywhere, in the order of the document."""
    return tuple(name for _, name in tenant_places(flag))


def tenant_places(flag: FlagDecision) -> list[tuple[str, str]]:
    """Path within the flag and name of every tenant that it names."""
    found = [(f"tenants[{place}]", name) for place, name in enumerate(flag.tenants or ())]
    for index, rule in enumerate(flag.rules or ()):
        found += [(f"rules[{index}].tenants[{place}]", name) for place, name in enumerate(rule.tenants or ())]
    return found


def normal_decision(flag: AnyFlag) -> AnyFlag:
    """The flag with the lists sorted whose order means nothing; the order of rules and shares means much."""
    return msgspec.structs.replace(
        flag,
        users=_sorted(flag.users),
        tenants=_sorted(flag.tenants),
        rules=None if flag.rules is None else tuple(map(_normal_rule, flag.rules)),
        prerequisites=tuple(sorted(flag.prerequisites, key=lambda one: (one.flag, one.variant))),
    )


def _normal_rule(rule: FlagRule) -> FlagRule:
    return msgspec.structs.replace(
        rule,
        users=_sorted(rule.users),
        tenants=_sorted(rule.tenants),
        attributes={name: tuple(sorted(values)) for name, values in rule.attributes.items()},
    )


def _sorted(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))
