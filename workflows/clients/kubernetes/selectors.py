"""Label selectors for what ADX made. Pure."""

from __future__ import annotations

from collections.abc import Collection

from infra.metadata import MANAGED_BY, MANAGED_BY_LABEL
from infra.names import unit_label
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL, UNIT_KIND_LABEL, UNIT_LABEL


def made_by_adx(
    environment: str, *, units: Collection[str] | None = None, unit_kinds: Collection[str] | None = None
) -> str:
    """Chooses all objects of ``environment``, or those of some ``units`` (``service/cart``) or kinds of units.

    Neither may be empty: the API server refuses such a selector.
    """
    selector = f"{MANAGED_BY_LABEL}={MANAGED_BY},{ENVIRONMENT_LABEL}={environment}"
    if units is not None:
        selector += f",{UNIT_LABEL} in ({','.join(sorted(map(unit_label, units)))})"
    if unit_kinds is not None:
        selector += f",{UNIT_KIND_LABEL} in ({','.join(sorted(unit_kinds))})"
    return selector
