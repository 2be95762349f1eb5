"""Why no repository was made.

::

    AdxError
    └── InitRefused             the folder or a name cannot be used, or a file cannot be written
"""

from __future__ import annotations

from policies.errors import AdxError


class InitRefused(AdxError):
    """The folder or a name cannot be used, or a file cannot be written; nothing that was there has been changed."""
