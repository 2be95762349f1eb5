"""Which versions the ledger says were delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from pipelines.promotion.delivered import NothingDelivered, delivered_to
from pipelines.services.declared import ServiceRow
from workflows.ledger import Ledger


async def with_delivered(ledger: Ledger, repository: Path, rows: Iterable[ServiceRow]) -> tuple[ServiceRow, ...]:
    """``rows`` with the version that each service was delivered in; those whose state is not known have none.

    Raises DeliveredUnclear, and what git raises where ``repository`` lacks a commit.
    """
    listed = tuple(rows)
    known: dict[str, Mapping[str, str]] = {}
    for environment in dict.fromkeys(row.environment for row in listed):
        known[environment] = await _versions(ledger, repository, environment)
    return tuple(msgspec.structs.replace(row, delivered=known[row.environment].get(row.service)) for row in listed)


async def _versions(ledger: Ledger, repository: Path, environment: str) -> Mapping[str, str]:
    try:
        found = await delivered_to(ledger, repository, environment)
    except NothingDelivered:
        return {}
    return {name: str(service.get("version", "")) for name, service in found.documents.services.items()}
