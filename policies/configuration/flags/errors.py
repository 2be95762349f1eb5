"""What can be wrong with flags when they are used, not declared.

::

    AdxError
    └── FlagError
        ├── FlagInvalid         a flag cannot be compiled; says which, where and why
        │   └── FlagsTooLarge   flags cannot be delivered: they are more than a ConfigMap holds
        ├── FlagMissing         there is no flag of that name
        ├── TenantMissing       there is no tenant of that name
        └── FlagsUnreadable     a document of flags cannot be read
"""

from __future__ import annotations

from policies.errors import AdxError


class FlagError(AdxError):
    """Base of these."""


class FlagInvalid(FlagError):
    """``flag`` says something that means nothing at ``path``."""

    exit_code = 3

    def __init__(self, flag: str, path: str, what: str, fix: str) -> None:
        super().__init__(f"the flag {flag}: {what} ({path})" if path else f"the flag {flag}: {what}", next_step=fix)
        self.flag = flag
        self.path = path


class FlagsTooLarge(FlagInvalid):
    """The flags of an environment, up to ``flag``, are more than can be delivered."""


class FlagMissing(FlagError):
    """No flag has that name."""

    exit_code = 6


class TenantMissing(FlagError):
    """No tenant has that name."""

    exit_code = 6


class FlagsUnreadable(FlagError):
    """Flags that were delivered, or are served, cannot be read."""

    exit_code = 6
