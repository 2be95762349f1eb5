"""What can go wrong with registering and finding services.

::

    AdxError
    ├── AdxConnectionError
    │   └── NoHealthyServices       no instance can be given out now
    └── AdxValidationError
        └── RegistrationRefused     a registration that is wrong, or in the way of another
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxValidationError


class NoHealthyServices(AdxConnectionError):
    """No instance of the service ``name`` can be given out; the message says why."""

    exit_code = 6

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"no healthy instance of {name}: {why}", next_step=f"look at the checks of {name}, and at the registry"
        )
        self.name = name


class RegistrationRefused(AdxValidationError):
    """The registration cannot be made, now or later, as it is."""
