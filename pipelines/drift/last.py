"""What the scheduled checks found last, as the ledger has it. Looks at no cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipelines.exit_codes import ExitCode
from policies.spec import Spec
from workflows.ledger import Ledger, drift
from workflows.ledger.drift import UnitDrift
from workflows.ledger.models import Environment, JsonObject


class LastUnit(Spec):
    """One unit that has drifted: since when, what, and how often it was healed in a row and drifted again."""

    unit: str
    drifted_since: datetime
    checked_at: datetime
    objects: tuple[JsonObject, ...] = ()
    heals: int = 0
    healed_at: datetime | None = None


class LastCheck(Spec):
    """The last scheduled check of an environment; ``status`` is ``never-checked`` where there was none.

    ``compared_at`` is that of the last check which could compare: what is said of units is from then.
    """

    environment: str
    status: str
    at: datetime | None = None
    commit: str = ""
    compared: int = 0
    compared_at: datetime | None = None
    reason: str = ""
    rollout: str = ""
    not_healed: str = ""
    units: tuple[LastUnit, ...] = ()
    strays: tuple[JsonObject, ...] = ()


async def last_checks(ledger: Ledger, known: Sequence[Environment]) -> list[LastCheck]:
    """The last check of each of ``known``, in that order."""
    checks = {one.environment: one for one in await drift.checks(ledger, [one.name for one in known])}
    found: list[LastCheck] = []
    for environment in known:
        check = checks.get(environment.name)
        if check is None:
            found.append(LastCheck(environment=environment.name, status="never-checked"))
            continue
        units = await drift.units_of(ledger, environment.name)
        found.append(
            LastCheck(
                environment=check.environment,
                status=check.status,
                at=check.at,
                commit=check.commit,
                compared=check.compared,
                compared_at=check.compared_at,
                reason=check.reason,
                rollout=check.rollout_id,
                not_healed=check.not_healed,
                units=tuple(_last_unit(one, one.drifted_since) for one in units if one.drifted_since is not None),
                strays=check.strays,
            )
        )
    return found


def last_exit_code(found: Iterable[LastCheck]) -> ExitCode:
    """As that of a live check: UNREACHABLE when anything could not be checked or never was, FAILED for drift."""
    checks = list(found)
    if any(one.status in ("unchecked", "never-checked") for one in checks):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED if any(one.units or one.strays for one in checks) else ExitCode.OK


def _last_unit(one: UnitDrift, since: datetime) -> LastUnit:
    return LastUnit(
        unit=one.unit,
        drifted_since=since,
        checked_at=one.checked_at,
        objects=tuple(one.objects),
        heals=one.heals,
        healed_at=one.healed_at,
    )
