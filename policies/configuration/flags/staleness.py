"""Which flags should go: past their lifetime, or the same for everybody for long. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from policies.configuration.flags.checks import day_of
from policies.configuration.flags.plan import plan_of
from policies.configuration.flags.spec import FlagSpec
from policies.spec import Spec

Why = Literal["past-lifetime", "fixed-for-long", "over"]

_NEXT_STEPS: Mapping[Why, str] = {
    "past-lifetime": "decide it, or give it more days",
    "over": "take it out of the code, then out of here",
    "fixed-for-long": "take it out of the code, then out of here",
}


class StaleFlag(Spec):
    """A flag that should go. ``since`` is the day (ISO 8601) from which that is so, ``days`` how long ago it was."""

    flag: str
    owner: str
    why: Why
    since: str
    days: int
    what: str
    next_step: str
    services: tuple[str, ...] = ()


def stale(
    flags: tuple[FlagSpec, ...],
    unchanged_since: Mapping[str, datetime],
    services: Mapping[str, tuple[str, ...]],
    *,
    now: datetime,
    fixed_days: int,
) -> list[StaleFlag]:
    """The stale ones of ``flags``, oldest first; one that is stale in several ways is there once for each.

    ``unchanged_since[name]`` is when what decides the flag was last changed,
    missing where nobody knows. ``services[name]`` read the flag. Raises
    FlagInvalid for flags that mean nothing.
    """
    found = [one for flag in flags for one in _of_flag(flag, unchanged_since.get(flag.name), services, now, fixed_days)]
    return sorted(found, key=lambda one: (one.since, one.flag, one.why))


def _of_flag(
    flag: FlagSpec, changed: datetime | None, services: Mapping[str, tuple[str, ...]], now: datetime, fixed_days: int
) -> Iterator[StaleFlag]:
    if flag.lifetime is not None and flag.lifetime.permanent:
        return
    readers = services.get(flag.name, ())
    for why, since, what in _reasons(flag, changed, now, fixed_days):
        yield StaleFlag(
            flag=flag.name,
            owner=flag.owner,
            why=why,
            since=since.astimezone(UTC).date().isoformat(),
            days=(now - since).days,
            what=what,
            next_step=_NEXT_STEPS[why] if readers else "nothing reads it: take it out",
            services=readers,
        )


def _reasons(
    flag: FlagSpec, changed: datetime | None, now: datetime, fixed_days: int
) -> Iterator[tuple[Why, datetime, str]]:
    """Why the flag should go, from when on, and what to say of it."""
    ended = _end_of_lifetime(flag)
    if ended is not None and ended <= now:
        yield "past-lifetime", ended, f"its lifetime ended on {ended.date()}"
    plan = plan_of(flag.name, flag)
    if plan.span is not None and plan.span.end <= now.timestamp():
        yield "over", datetime.fromtimestamp(plan.span.end, UTC), f"its schedule is over: everybody gets {plan.default}"
    if plan.fixed is not None and changed is not None and changed <= now - timedelta(days=fixed_days):
        yield "fixed-for-long", changed, f"everybody gets {plan.fixed}"


def _end_of_lifetime(flag: FlagSpec) -> datetime | None:
    lifetime = flag.lifetime
    created = day_of(lifetime) if lifetime is not None else None
    if lifetime is None or created is None or lifetime.days is None:
        return None
    return datetime(created.year, created.month, created.day, tzinfo=UTC) + timedelta(days=lifetime.days)
