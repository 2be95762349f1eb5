"""Whoever has lost the claim on a database stops: watched while anything is done there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from workflows.ledger import Ledger
from workflows.ledger import migrations_claims as claims
from workflows.ledger.migrations_claims import TargetClaim

INTERVAL_SECONDS = 2.0


async def watch_claim(ledger: Ledger, claim: TargetClaim, targets: Collection[str]) -> None:
    """Return never; raise StaleFencingToken when another attempt has claimed one of ``targets``."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        await claims.check(ledger, claim, targets)
