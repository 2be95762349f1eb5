"""What can go wrong with a git hosting.

::

    AdxError
    ├── AdxConnectionError
    │   ├── HostingUnreachable      no connection, connection lost, failing (5xx), or not answering as an API does
    │   └── HostingRateLimited      too many requests, for longer than may be waited
    ├── AdxTimeoutError
    │   └── HostingTimedOut         no answer in time
    └── AdxValidationError
        ├── HostingMisconfigured    a setting is missing or wrong
        ├── HostingRefused          the request is refused (409, 422, …), or was not sent because it would be
        ├── HostingDenied           the token is not accepted (401)
        ├── HostingForbidden        the token may not do this (403)
        └── HostingNotFound         no such thing, or the token may not see it (404)

Messages name the call and the repository. They hold what the hosting said on
one line, and never the token.
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


class HostingUnreachable(AdxConnectionError):
    """The git hosting cannot be reached or is failing; whether it did what was asked is unknown."""

    exit_code = 6


class HostingRateLimited(AdxConnectionError):
    """The git hosting wants fewer requests; ``wait_seconds`` is how long it wants none. Nothing was done."""

    exit_code = 6

    def __init__(self, message: str, *, wait_seconds: float, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.wait_seconds = wait_seconds


class HostingTimedOut(AdxTimeoutError):
    """The git hosting did not answer in time; whether it did what was asked is unknown."""

    exit_code = 6


class HostingMisconfigured(AdxValidationError):
    """A setting is missing or cannot be used."""


class HostingRefused(AdxValidationError):
    """The request is wrong, or in conflict with what is there."""


class HostingDenied(AdxValidationError):
    """The token is not accepted."""


class HostingForbidden(AdxValidationError):
    """The token is accepted and may not do this."""


class HostingNotFound(AdxValidationError):
    """There is no such thing, or the token may not see it."""
