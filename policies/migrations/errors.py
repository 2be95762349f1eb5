"""What can be wrong between scripts and what a database says about itself.

::

    AdxError
    └── HistoryDiffers          what was applied is not what the repository holds, or not in its order
"""

from __future__ import annotations

from policies.errors import AdxError


class HistoryDiffers(AdxError):
    """The database's record and the scripts disagree; ``differences`` says each exactly, one a line."""

    exit_code = 3

    def __init__(self, message: str, differences: tuple[str, ...], *, next_step: str) -> None:
        super().__init__("\n".join((message, *differences)), next_step=next_step)
        self.differences = differences
