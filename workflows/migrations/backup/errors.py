"""What can go wrong with backups of databases, by how it is retried.

::

    AdxConnectionError      BackupInterrupted   a program that dumps or loads died: nothing half done counts
    AdxValidationError      BackupRefused       this backup cannot be made; ``next_step`` says what is needed
                            BackupUnusable      the record names no whole backup of this schema
                            RestoreFailed       the server refuses what is restored; the message says where the rows are

A restore that would lose writes, and one that is not what was backed up, are
no errors but outcomes of a ``RestoreReport``.
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxValidationError


class BackupInterrupted(AdxConnectionError):
    """A program that dumps or loads ended before its work was done."""

    exit_code = 6


class BackupRefused(AdxValidationError):
    """A backup that would not be one is not made."""

    exit_code = 3


class BackupUnusable(AdxValidationError):
    """The backup is another schema's, is not whole, or was changed."""

    exit_code = 5


class RestoreFailed(AdxValidationError):
    """The server refuses a step of the restore; what was there before is still there."""

    exit_code = 5
