"""What can be wrong with Vault.

::

    AdxConnectionError   VaultUnreachable       no connection, or it is failing
                         └── VaultSealed        it runs and is sealed
    AdxTimeoutError      VaultTimedOut
    AdxValidationError   VaultRefused           no such key or mount, bad request, no address or login set
                         └── SecretNotForHere   made for another key, tenant or environment, or damaged
    AdxError             VaultDenied            the token lives, and its policies do not allow this: tried again
                         └── VaultTokenExpired  the token is expired, revoked or was never one
"""

from __future__ import annotations

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError


class VaultUnreachable(AdxConnectionError):
    """Vault cannot be reached or is failing."""

    exit_code = 6


class VaultSealed(VaultUnreachable):
    """Vault is sealed."""


class VaultTimedOut(AdxTimeoutError):
    """Vault did not answer in time."""

    exit_code = 6


class VaultRefused(AdxValidationError):
    """Vault refuses the request, or the settings are wrong."""


class SecretNotForHere(VaultRefused):
    """A ciphertext that does not decrypt where it stands."""


class VaultDenied(AdxError):
    """Vault does not accept the token for this."""


class VaultTokenExpired(VaultDenied):
    """The token does not live any more, or never did."""
