"""The settings of workers that changing a release needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.services.models import ReleaseChange

GATEWAYS = "ADX_CADDY_ADMIN_URLS"
METRICS = "ADX_PROMETHEUS_URL"


@dataclass(frozen=True)
class MissingSetting:
    """``name`` is not set; ``what`` needs it."""

    name: str
    what: str


def missing_setting(environ: Mapping[str, str], change: ReleaseChange) -> MissingSetting | None:
    """The first setting that ``change`` needs and ``environ`` does not have."""
    needed = []
    if change.gateway == "caddy":
        needed.append((GATEWAYS, "the gateway caddy"))
    if change.interval_seconds:
        needed.append((METRICS, "an analysis"))
    return next((MissingSetting(name, what) for name, what in needed if not environ.get(name, "").strip()), None)


def gateway_urls(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The admin addresses of all gateways."""
    return tuple(url.strip() for url in environ.get(GATEWAYS, "").split(",") if url.strip())
