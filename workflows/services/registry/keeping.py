"""An instance that stays registered for as long as it lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from policies.errors import AdxError
from workflows.services.registry.checks import TtlCheck
from workflows.services.registry.interface import Registry
from workflows.services.registry.models import ServiceRegistration
from workflows.telemetry import logs

FIRST_BACKOFF_SECONDS = 0.2
DEREGISTER_WITHIN_SECONDS = 10.0
_LOG = logs.logger("adx.registry")


@asynccontextmanager
async def registered(registry: Registry, registration: ServiceRegistration) -> AsyncGenerator[None, None]:
    """Registered and kept alive inside the block, deregistered after it, however it ends.

    Raises what ``register`` raises. A registry that is away at the end finds
    out by the instance's check, and takes it out by itself later.
    """
    await registry.register(registration)
    keeper = asyncio.create_task(keep_alive(registry, registration), name=f"keep {registration.id}")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await _deregister(registry, registration)


async def keep_alive(registry: Registry, registration: ServiceRegistration) -> None:
    """Renew ``registration`` until cancelled: heartbeats of a TTL check, and again after the registry forgot it.

    A failure is followed by another try, sooner than usual; it never ends this.
    """
    every_seconds, failures = renew_every_seconds(registration), 0
    while True:
        backoff_seconds = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16), every_seconds)
        await asyncio.sleep(backoff_seconds * random.uniform(0.5, 1) if failures else every_seconds)  # noqa: S311
        try:
            await registry.renew(registration)
        except AdxError as error:
            if not failures:
                _LOG.warning("registration cannot be renewed", instance=registration.id, why=str(error))
            failures += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the instance lives on
            if not failures:
                _LOG.error("registration cannot be renewed", instance=registration.id, exc_info=error)
            failures += 1
        else:
            if failures:
                _LOG.info("registration is renewed again", instance=registration.id)
            failures = 0


def renew_every_seconds(registration: ServiceRegistration) -> float:
    """A third of the TTL, so that one lost heartbeat is survived; else the interval of the check."""
    check = registration.health_check
    return check.ttl_seconds / 3 if isinstance(check, TtlCheck) else check.interval_seconds


async def _deregister(registry: Registry, registration: ServiceRegistration) -> None:
    try:
        async with asyncio.timeout(DEREGISTER_WITHIN_SECONDS):
            await registry.deregister(registration)
    except (AdxError, TimeoutError) as error:
        _LOG.warning("registration could not be taken back", instance=registration.id, why=str(error))
