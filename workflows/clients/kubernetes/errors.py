"""What can go wrong with a cluster.

::

    AdxError
    ├── ClusterFailed           the API server failed (500)
    ├── AdxConnectionError
    │   └── ClusterUnreachable  no connection, connection lost, 502, 503
    ├── AdxTimeoutError
    │   └── ClusterTimedOut     no answer in time, 504, or too many requests (429) for too long
    └── AdxValidationError
        ├── ClusterRefused      the API server refuses the request or the credentials
        ├── ObjectNotFound      404
        └── KubeconfigRefused   the kubeconfig is missing, wrong or dangerous
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

_LONGEST_MESSAGE_CHARACTERS = 300


class ClusterFailed(AdxError):
    """The API server failed."""


class ClusterUnreachable(AdxConnectionError):
    """The API server cannot be reached."""

    exit_code = 6


class ClusterTimedOut(AdxTimeoutError):
    """The API server did not answer in time, or asked for fewer requests for too long."""

    exit_code = 6


class ClusterRefused(AdxValidationError):
    """The API server refuses the request or the credentials."""


class ObjectNotFound(AdxValidationError):
    """The cluster has no such object."""


class KubeconfigRefused(AdxValidationError):
    """The kubeconfig cannot or must not be used."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise ADX's errors instead of httpx's; ``what`` says what was being asked."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ClusterTimedOut(f"the API server did not answer in time: {what}") from error
    except (httpx.TransportError, OSError) as error:
        raise ClusterUnreachable(
            f"the API server cannot be reached ({type(error).__name__}): {what}",
            next_step="check the cluster (`adx status` for the local one) and the kubeconfig's context",
        ) from error


def from_status(what: str, status: int, message: str) -> AdxError:
    """The error for an HTTP status of 400 or more; ``message`` is the API server's own."""
    said = f"{what}: {status} {message[:_LONGEST_MESSAGE_CHARACTERS]}".rstrip()
    if status == 404:
        return ObjectNotFound(said)
    if status in (429, 504):
        return ClusterTimedOut(said, next_step="the API server is overloaded: try again later")
    if status in (502, 503):
        return ClusterUnreachable(said, next_step="the API server is starting or overloaded: try again")
    if status >= 500:
        return ClusterFailed(said, next_step="look at the API server's log")
    hint = "check the kubeconfig's user and its permissions" if status in (401, 403) else ""
    return ClusterRefused(said, next_step=hint)
