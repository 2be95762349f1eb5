"""What can go wrong between ADX and checkov.

::

    AdxError
    └── PolicyCheckFailed       nothing can be said about the objects: never the same as "no findings"
"""

from __future__ import annotations

from policies.errors import AdxError


class PolicyCheckFailed(AdxError):
    """checkov is missing, failed, took too long, or did not answer for everything that it was given."""

    exit_code = 6
