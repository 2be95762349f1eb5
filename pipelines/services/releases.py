"""Which releases of services were delivered, as the ledger knows them, and which are under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from pipelines.services.declared import EnvironmentMissing, ServiceMissing
from pipelines.watching.releases import ReleaseView
from policies.desired_state import service_unit_id
from policies.findings import suggestion
from policies.spec import Spec
from workflows.ledger import Ledger, environments, units
from workflows.ledger.unit_history import UnitEntry, stories

_PREFIX = service_unit_id("")
_OUTCOMES = {"applied": "delivered"}


class DeliveredRelease(Spec):
    """The inputs of a service became others, or became what they were before: ``outcome`` is ``restored`` then.

    ``version`` (None where the ledger knows none) and ``commit`` are those that
    the service has since; ``tried`` is the commit that the rollout was of, and
    ``inputs`` the digest of everything that the service is made of, None where
    it was removed. ``outcome`` is ``delivered``, or the unit's status.
    """

    at: datetime
    version: str | None
    outcome: str
    commit: str
    tried: str
    inputs: str | None
    rollout: str
    rollout_outcome: str
    by: str
    reason: str


class ServiceReleases(Spec):
    """One service in one environment: its releases, newest first, and the one that is under way, if one is.

    ``is_under_way_known`` is False where a rollout runs and nobody could say what it does.
    """

    environment: str
    service: str
    releases: tuple[DeliveredRelease, ...]
    under_way: ReleaseView | None = None
    is_under_way_known: bool = True


async def delivered_releases(
    ledger: Ledger, environment: str | None, service: str | None, limit: int
) -> tuple[ServiceReleases, ...]:
    """``limit`` at most of each service (None: of all), by environment and name. Raises EnvironmentMissing."""
    return tuple(
        [
            await _releases(ledger, name, unit, limit)
            for name in await _environments(ledger, environment)
            for unit in await _services(ledger, name)
            if service is None or unit == service_unit_id(service)
        ]
    )


def with_under_way(
    found: Sequence[ServiceReleases], under_way: Mapping[str, Sequence[ReleaseView] | None], service: str | None
) -> tuple[ServiceReleases, ...]:
    """``found`` and what is ``under_way`` by environment (None: not known), also of services that are new. Pure."""
    unknown = {environment for environment, views in under_way.items() if views is None}
    by_name = {
        (one.environment, one.service): msgspec.structs.replace(one, is_under_way_known=one.environment not in unknown)
        for one in found
    }
    for environment, views in under_way.items():
        for view in views or ():
            if service is None or view.service == service:
                key = environment, view.service
                empty = ServiceReleases(environment=environment, service=view.service, releases=())
                by_name[key] = msgspec.structs.replace(by_name.get(key, empty), under_way=view)
    return tuple(by_name[key] for key in sorted(by_name))


async def refuse_missing(ledger: Ledger, environment: str | None, service: str) -> None:
    """Raise ServiceMissing, with the name that may have been meant."""
    known = [
        unit.removeprefix(_PREFIX)
        for name in await _environments(ledger, environment)
        for unit in await _services(ledger, name)
    ]
    where = environment or "any environment"
    raise ServiceMissing(
        f"no release of {service} was delivered to {where}",
        next_step=suggestion(service, known, "see `adx services list` for what is declared"),
    )


async def _environments(ledger: Ledger, environment: str | None) -> list[str]:
    known = [one.name for one in await environments.all_environments(ledger)]
    if environment is None:
        return known
    if environment not in known:
        raise EnvironmentMissing(
            f"nothing was ever delivered to {environment}",
            next_step=suggestion(environment, known, f"deliver to it first: `adx deploy {environment}`"),
        )
    return [environment]


async def _services(ledger: Ledger, environment: str) -> list[str]:
    return [one.unit for one in await units.units_of(ledger, environment) if one.unit.startswith(_PREFIX)]


async def _releases(ledger: Ledger, environment: str, unit: str, limit: int) -> ServiceReleases:
    found = await stories(ledger, unit, environment=environment, limit=limit)
    return ServiceReleases(
        environment=environment,
        service=unit.removeprefix(_PREFIX),
        releases=tuple(_release(entry) for story in found for entry in story.changes),
    )


def _release(entry: UnitEntry) -> DeliveredRelease:
    change, rollout = entry.change, entry.rollout
    return DeliveredRelease(
        at=change.at,
        version=change.version,
        outcome=_OUTCOMES.get(change.status, change.status),
        commit=change.commit,
        tried=rollout.commit,
        inputs=change.digest,
        rollout=rollout.id,
        rollout_outcome=rollout.status,
        by=rollout.requested_by,
        reason=_reason(entry),
    )


def _reason(entry: UnitEntry) -> str:
    """Why it was taken back: as known of this service, else of the rollout as a whole."""
    if entry.change.status not in ("restored", "frozen"):
        return ""
    failure = entry.rollout.failure or {}
    of_rollout = ": ".join(str(failure[name]) for name in ("step", "message") if failure.get(name))
    return entry.change.reason or of_rollout
