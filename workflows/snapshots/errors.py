"""What can go wrong with snapshots.

::

    AdxError
    ├── AdxConnectionError
    │   └── SnapshotStoreUnreachable    the directory or bucket cannot be used right now (also: disk full)
    ├── AdxTimeoutError
    │   └── SnapshotStoreTimedOut
    └── AdxValidationError
        ├── SnapshotMissing             no such snapshot of this owner
        ├── SnapshotCorrupt             the body is cut short, changed, or not a snapshot
        ├── SnapshotForeign             the body belongs to another owner
        ├── SnapshotKeyMissing          no key to encrypt with, or not the key it was encrypted with
        └── SnapshotStoreMisconfigured  the settings name no store that can be used
"""

from __future__ import annotations

from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


class SnapshotStoreUnreachable(AdxConnectionError):
    """The place where snapshots are kept cannot be used right now."""

    exit_code = 6


class SnapshotStoreTimedOut(AdxTimeoutError):
    """The place where snapshots are kept did not answer in time."""

    exit_code = 6


class SnapshotMissing(AdxValidationError):
    """No such snapshot of this owner."""


class SnapshotCorrupt(AdxValidationError):
    """The body is not what was stored."""

    exit_code = 5


class SnapshotForeign(AdxValidationError):
    """The body was stored for another owner."""

    exit_code = 5


class SnapshotKeyMissing(AdxValidationError):
    """No key, or none that opens this snapshot."""

    exit_code = 5


class SnapshotStoreMisconfigured(AdxValidationError):
    """The settings name no store that can be used."""
