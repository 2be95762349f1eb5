"""What can go wrong with kept configuration.

::

    AdxError
    ├── StoreBusy                   two transactions collided (deadlock, serialization): tried again
    ├── StoreFailed                 the database failed in a way not foreseen here
    ├── AdxConnectionError
    │   ├── StoreUnreachable        no connection to the database, or it was lost
    │   └── ValueUnavailable        every place that has the value is away, and no older one is known
    ├── AdxTimeoutError
    │   └── StoreTimedOut           no answer in time; the write may have happened, and its retry finds it
    └── AdxValidationError
        ├── StoreRefused            the database refused the login or the values
        │   ├── StoreNotMigrated    the tables are missing or older than this version of ADX
        │   └── StoreTooNew         the tables belong to a newer version of ADX
        ├── ValueRefused            a key or a value that cannot be kept
        ├── UpdateConflict          another writer was there first
        └── ValueNotFound           there is no such value, or no such version of it
"""

from __future__ import annotations

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


class StoreUnreachable(AdxConnectionError):
    """No connection to the database of the configuration, or it was lost."""

    exit_code = 6


class ValueUnavailable(AdxConnectionError):
    """The value cannot be had now, neither new nor old."""

    exit_code = 6


class StoreTimedOut(AdxTimeoutError):
    """The database did not answer in time; a retry finds what was written."""

    exit_code = 6


class StoreBusy(AdxError):
    """Two transactions collided; a retry succeeds."""


class StoreFailed(AdxError):
    """The database failed in a way that has no class of its own here."""


class StoreRefused(AdxValidationError):
    """The database does not accept the login or the values."""


class StoreNotMigrated(StoreRefused):
    """The tables are missing or older than this version of ADX."""


class StoreTooNew(StoreRefused):
    """The tables belong to a newer version of ADX."""


class ValueRefused(AdxValidationError):
    """The key is no key, or the value would not reach every reader as it is."""


class UpdateConflict(AdxValidationError):
    """``expected`` is the version that the writer saw (0: none), ``actual`` the one that is there (0: none)."""

    def __init__(self, key: str, *, expected: int, actual: int) -> None:
        seen = f"version {expected}" if expected else "no value"
        there = f"version {actual} is there" if actual else "there is none"
        super().__init__(
            f"{key} was changed by somebody else: {seen} was expected, {there}",
            next_step="read the value again, and decide whether the change is still wanted",
        )
        self.expected = expected
        self.actual = actual


class ValueNotFound(AdxValidationError):
    """There is no such value, or no such version of it."""

    exit_code = 6
