"""What can go wrong at a database that is migrated, by how it is retried.

::

    AdxConnectionError      DatabaseUnreachable     not reached, or the connection was lost: nothing is known to be done
    AdxTimeoutError         LockTimedOut            another transaction held the table's lock for too long
                            StatementTimedOut       the statement took longer than it may
                            MigrationLocked         somebody else migrates this schema
                            OutcomeUnknown          the commit's answer was lost, and the server cannot be asked
    AdxValidationError      AddressInvalid          the URL cannot be used
                            PoolerRefused           a pooler stands between, which would share the session's locks
                            StatementRefused        the server refuses a statement
                            StatementCancelled      somebody cancelled it
                            StepUncertain           whether a statement was done cannot be known
                            NotInOrder              the record does not allow this migration now
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


class DatabaseUnreachable(AdxConnectionError):
    """The server could not be reached, or dropped the connection."""

    exit_code = 6


class LockTimedOut(AdxTimeoutError):
    """A lock on a table, or on a row, was not to be had in time; the transaction was rolled back."""

    exit_code = 1


class StatementTimedOut(AdxTimeoutError):
    """A statement ran longer than its script allows, and was ended."""

    exit_code = 1


class MigrationLocked(AdxTimeoutError):
    """Another process migrates the same schema."""

    exit_code = 1


class OutcomeUnknown(AdxTimeoutError):
    """The connection was lost during a commit and the server does not answer; asking again later tells."""

    exit_code = 6


class AddressInvalid(AdxValidationError):
    """The database's URL cannot be used. The message never holds the URL."""

    exit_code = 2


class PoolerRefused(AdxValidationError):
    """Between ADX and the server stands a pooler."""


class StatementRefused(AdxValidationError):
    """The server refuses a statement; ``code`` is its SQLSTATE or error number."""

    def __init__(self, message: str, code: str, *, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code


class StatementCancelled(AdxValidationError):
    """A statement was cancelled from outside."""


class StepUncertain(AdxValidationError):
    """A crash left a statement of which nobody can say whether it was done."""

    exit_code = 5


class NotInOrder(AdxValidationError):
    """The migration is not the next one in the direction that was asked for, or differs from the record."""

    exit_code = 3
