"""What can go wrong with backups of databases, by how it is retried.

::

    AdxConnectionError      BackupInterrupted   a program that dumps or loads died: nothing half done counts
    AdxValidationError      BackupRefused       this backup cannot be made; ``next_step`` says what is needed
                            BackupUnusable      the record names no whole backup of this schema
                            WritesWouldBeLost   a restore was refused; ``losses`` says why (only ``keeping`` raises it)
                            RestoreFailed       the server refuses what is restored; the message says where the rows are

A restore that would lose writes, and one that is not what was backed up, are
no errors but outcomes of a ``RestoreReport``.
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxValidationError
from workflows.migrations.backup.models import Loss

SHOWN_LOSSES = 10


class BackupInterrupted(AdxConnectionError):
    """A program that dumps or loads ended before its work was done."""

    exit_code = 6


class BackupRefused(AdxValidationError):
    """A backup that would not be one is not made."""

    exit_code = 3


class BackupUnusable(AdxValidationError):
    """The backup is another schema's, is not whole, or was changed."""

    exit_code = 5


class WritesWouldBeLost(AdxValidationError):
    """A restore that would lose writes was not begun, and nobody has answered for them."""

    exit_code = 5

    def __init__(self, losses: tuple[Loss, ...]) -> None:
        shown = "; ".join(f"{one.table}: {one.what}, about {one.rows} row(s)" for one in losses[:SHOWN_LOSSES])
        super().__init__(
            f"a restore would lose writes, so nothing was changed: {shown}",
            next_step="save those rows, or let somebody approve that they are lost",
        )
        self.losses = losses


class RestoreFailed(AdxValidationError):
    """The server refuses a step of the restore; what was there before is still there."""

    exit_code = 5
