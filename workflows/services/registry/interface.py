"""What a registry of services is, whichever it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from workflows.services.registry.models import Instance, ServiceRegistration

Instances = tuple[Instance, ...]


class Registry(Protocol):
    """Where services are registered and found. One per event loop; close it at the end.

    Calls raise AdxConnectionError while the registry is away, AdxValidationError when it refuses.
    """

    async def register(self, registration: ServiceRegistration) -> None:
        """Put an instance in, or bring it up to date; harmless when repeated. Raises RegistrationRefused."""
        ...

    async def renew(self, registration: ServiceRegistration) -> None:
        """Say that the instance is well, where its check asks for that; put it in again where it was forgotten."""
        ...

    async def deregister(self, registration: ServiceRegistration) -> None:
        """Take an instance out; fine when it is gone."""
        ...

    def watch(self, name: str, *, every_seconds: float) -> AsyncGenerator[Instances, None]:
        """The healthy instances of ``name``: now, at every change, and at least about ``every_seconds``.

        Each value is a sign of life of the registry; the same tuple says that
        nothing changed. Ends by raising only, and may be asked for again then.
        """
        ...

    async def close(self) -> None:
        """Give back all connections."""
        ...
