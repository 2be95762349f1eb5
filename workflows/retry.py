"""Retries by class of error, never by the text of a message.

An activity raises whatever it raises; the interceptor classifies it, and tells
Temporal when to try again or that trying again is pointless.

=============  =========  ============
class          attempts   first delay
=============  =========  ============
connection     5          2 s
timeout        3          5 s
validation     1          –
other          3          1 s
=============  =========  ============

Delays double from one attempt to the next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from infra.errors import (
    ComponentFailed,
    NameInvalid,
    PassphraseMissing,
    StackInputsInvalid,
    StackLocked,
    ToolMissing,
)
from policies.errors import AdxError, DeclarationError
from policies.git_errors import (
    AddressRefused,
    CommitMissing,
    CommitNotOnBranch,
    HistoryRewritten,
    NotNewer,
    RefRefused,
    RepositoryUnreachable,
)
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


@dataclass(frozen=True)
class RetryRule:
    """How often, and after how many seconds at first, one class of error is tried again."""

    name: str
    attempts: int
    first_delay_seconds: float

    def delay_after(self, attempt: int) -> timedelta:
        """Delay after failed attempt number ``attempt`` (from 1)."""
        return timedelta(seconds=self.first_delay_seconds * 2 ** (attempt - 1))


CONNECTION = RetryRule("connection", 5, 2.0)
TIMEOUT = RetryRule("timeout", 3, 5.0)
VALIDATION = RetryRule("validation", 1, 0.0)
OTHER = RetryRule("other", 3, 1.0)

# The upper bound only: which attempt is the last is decided per class by the interceptor.
# A worker that was paused or lost its network still has polls open: each takes an attempt with it. The rules above are
# about attempts that failed; these never were.
LOST_ATTEMPTS = 5
ACTIVITY_RETRY = RetryPolicy(maximum_attempts=CONNECTION.attempts + LOST_ATTEMPTS)


_RULES: tuple[tuple[tuple[type[BaseException], ...], RetryRule], ...] = (
    (
        (AdxValidationError, DeclarationError, NameInvalid, StackInputsInvalid, PassphraseMissing, ToolMissing),
        VALIDATION,
    ),
    ((AddressRefused, CommitMissing, CommitNotOnBranch, HistoryRewritten, NotNewer, RefRefused), VALIDATION),
    ((ComponentFailed,), VALIDATION),
    ((AdxTimeoutError, TimeoutError), TIMEOUT),
    ((AdxConnectionError, ConnectionError, StackLocked, RepositoryUnreachable), CONNECTION),
)


def classify(error: BaseException) -> RetryRule:
    """The rule for ``error``, by its type alone."""
    return next((rule for types, rule in _RULES if isinstance(error, types)), OTHER)


def as_application_error(error: Exception, attempt: int) -> ApplicationError:
    """``error`` as Temporal's, with the retry decision for attempt number ``attempt`` (from 1)."""
    rule = classify(error)
    is_last = attempt >= rule.attempts
    next_step = error.next_step if isinstance(error, AdxError) else ""
    return ApplicationError(
        str(error) or type(error).__name__,
        {"class": rule.name, "next_step": next_step},
        type=type(error).__name__,
        non_retryable=is_last,
        next_retry_delay=None if is_last else rule.delay_after(attempt),
    )


class RetryByClass(Interceptor):
    """Worker interceptor that applies the rules above to every activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own parameter name
        return _ClassifyingInbound(super().intercept_activity(next))


class _ClassifyingInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own parameter name
        try:
            return await super().execute_activity(input)
        except (asyncio.CancelledError, CancelledError, ApplicationError):
            raise
        except Exception as error:
            activity.logger.warning("activity failed", exc_info=not isinstance(error, AdxError))
            raise as_application_error(error, activity.info().attempt) from error
