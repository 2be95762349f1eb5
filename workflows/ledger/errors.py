"""What can go wrong with the ledger, and the one place that turns a driver's error into it.

::

    AdxError
    ├── LedgerBusy                  two transactions collided (deadlock, serialization): tried again
    ├── LedgerFailed                PostgreSQL failed in a way not foreseen here
    ├── AdxConnectionError
    │   └── LedgerUnreachable       no connection, or the connection was lost
    ├── AdxTimeoutError
    │   └── LedgerTimedOut          no answer in time; the write may have happened, and the retry finds it
    └── AdxValidationError
        ├── LedgerRefused           the database refused the values, or the caller's own are not allowed
        │   ├── TargetBusy              another operation is changing the database
        │   ├── LedgerConflict      the row exists and says something else
        │   ├── LedgerNotMigrated   the tables are missing or older than this version of ADX
        │   ├── LedgerTooNew        the tables belong to a newer version of ADX
        │   └── AuditTampered       the chain of the audit trail does not hold
        ├── RolloutNotFound
        └── StaleFencingToken       a newer rollout owns the environment

Decided by SQLSTATE, never by text. PostgreSQL's DETAIL repeats the values of
a row, so it is left out of messages, and such errors carry no cause: a cause
would be written into workflow histories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy import exc

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

# 25006: a failover left us on a read-only server; 25P03: it was silent for too long in a transaction.
_LOST = ("08", "57P", "53300", "25006", "25P03")
_TIMED_OUT = ("57014", "55P03")
_COLLIDED = ("40",)
_NOT_MIGRATED = ("42P01", "42703", "42883")
_LOGIN_REFUSED = ("28", "3D000", "42501")
_VALUES_REFUSED = ("22", "23", "P0001")


class LedgerUnreachable(AdxConnectionError):
    """No connection to the ledger's PostgreSQL, or it was lost."""

    exit_code = 6


class LedgerTimedOut(AdxTimeoutError):
    """The ledger did not answer in time; a retry finds what was written."""

    exit_code = 6


class LedgerBusy(AdxError):
    """Two transactions collided; a retry succeeds."""


class LedgerFailed(AdxError):
    """PostgreSQL failed in a way that has no class of its own here."""


class LedgerRefused(AdxValidationError):
    """The ledger does not accept these values."""


class LedgerConflict(LedgerRefused):
    """A row of this key exists and says something else."""


class LedgerNotMigrated(LedgerRefused):
    """The tables are missing or older than this version of ADX."""


class LedgerTooNew(LedgerRefused):
    """The tables belong to a newer version of ADX."""


class AuditTampered(LedgerRefused):
    """The audit trail's chain of hashes does not hold."""

    exit_code = 5


class RolloutNotFound(AdxValidationError):
    """The ledger knows no rollout of this id."""

    exit_code = 6


class StaleFencingToken(AdxValidationError):
    """A newer rollout owns the environment: this writer came back too late."""


def _timed_out() -> LedgerTimedOut:
    return LedgerTimedOut(
        "the ledger did not answer in time", next_step="look at PostgreSQL's load and locks (pg_stat_activity)"
    )


def _from_sqlstate(sqlstate: str, error: psycopg.Error) -> AdxError:
    summary = f"{type(error).__name__}, SQLSTATE {sqlstate}"
    if sqlstate.startswith(_TIMED_OUT):
        return _timed_out()
    if sqlstate.startswith(_COLLIDED):
        return LedgerBusy(f"two ledger transactions collided ({summary})")
    if sqlstate.startswith(_NOT_MIGRATED):
        return LedgerNotMigrated(
            f"the ledger's tables are missing or old ({summary})",
            next_step="start ADX's worker once, or call Ledger.migrate(), with this version",
        )
    if sqlstate.startswith(_LOGIN_REFUSED):
        return LedgerRefused(
            f"PostgreSQL refused the ledger's login ({summary})", next_step="check user and database in ADX_LEDGER_URL"
        )
    if sqlstate.startswith(_VALUES_REFUSED):
        constraint = error.diag.constraint_name or error.diag.message_primary or ""
        return LedgerRefused(f"the ledger refused the values: {constraint} ({summary})")
    return LedgerFailed(f"the ledger failed ({summary})", next_step="look at PostgreSQL's log")


def _unreachable(error: BaseException) -> LedgerUnreachable:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return LedgerUnreachable(
        f"the ledger cannot be reached: {reason}",
        next_step="check that PostgreSQL runs (`adx status`) and that ADX_LEDGER_URL is right",
    )


def translate(error: Exception) -> AdxError:
    """The ledger's own error for an error of SQLAlchemy, psycopg or asyncio."""
    if isinstance(error, (TimeoutError, exc.TimeoutError, psycopg.errors.ConnectionTimeout)):
        return _timed_out()
    original = error.orig if isinstance(error, exc.StatementError) else error
    if isinstance(original, psycopg.Error):
        if original.sqlstate is not None:
            is_lost = original.sqlstate.startswith(_LOST)
            return _unreachable(original) if is_lost else _from_sqlstate(original.sqlstate, original)
        if isinstance(original, (psycopg.OperationalError, psycopg.InterfaceError)):
            return _unreachable(original)
    if isinstance(original, AdxError):
        return original
    if isinstance(original, OSError):
        return _unreachable(original)
    return LedgerFailed(f"the ledger failed ({type(original).__name__})", next_step="look at PostgreSQL's log")


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise the ledger's errors instead of those of the driver."""
    try:
        yield
    except (exc.SQLAlchemyError, psycopg.Error, TimeoutError, OSError) as error:
        ours = translate(error)
        # The text of a lost connection or of a wrong statement holds no values of a row; others might.
        is_harmless = isinstance(ours, LedgerUnreachable) or isinstance(error, exc.ProgrammingError)
        raise ours from (error if is_harmless else None)
