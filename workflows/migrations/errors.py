"""What can go wrong before a migration is delivered.

::

    AdxError
    ├── SquawkFailed            nothing can be said about the scripts: never the same as "no findings"
    ├── ScratchRefused          the scratch database cannot be made
    └── AdxValidationError
        ├── ServerUnknown       no address is set for a server that is declared
        ├── TargetMissing       a tenant that had a version has no database, or no schema, any more
        ├── TargetAhead         the schema has a version that nobody declared
        ├── RowsWouldBeLost     on the way down, what was written since would go
        ├── ScriptsMissing      no commit at hand holds the scripts
        └── NotTakenBack        a database cannot be brought back, or is not what it was
"""

from __future__ import annotations

from policies.errors import AdxError
from workflows.errors import AdxValidationError


class SquawkFailed(AdxError):
    """squawk is missing, failed, took too long, or answered what nobody understands."""

    exit_code = 6


class ScratchRefused(AdxError):
    """The server does not let this user make a scratch database."""

    exit_code = 6


class ServerUnknown(AdxValidationError):
    """The worker knows no address of a server; the message names the setting."""

    exit_code = 2


class TargetMissing(AdxValidationError):
    """A database or schema that was delivered before is not there: nobody but a person can say why."""


class TargetAhead(AdxValidationError):
    """The schema has a later version than any that was declared."""

    exit_code = 3


class RowsWouldBeLost(AdxValidationError):
    """Taking back versions would lose rows or values that were written since they came."""

    exit_code = 3


class ScriptsMissing(AdxValidationError):
    """The scripts of a database are in none of the commits of an operation."""


class NotTakenBack(AdxValidationError):
    """What a migration did is not undone; the message says what is left."""

    exit_code = 5
