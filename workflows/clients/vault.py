"""Vault through hvac: the transit engine, which encrypts without giving away its key.

::

    AdxConnectionError   VaultUnreachable   no connection, sealed, or failing
    AdxTimeoutError      VaultTimedOut
    AdxValidationError   VaultRefused       no such key or mount, bad request, no address or token set
    AdxError             VaultDenied        the token is not accepted: tried again, since agents renew token files

The token is read from ``VAULT_TOKEN``, or again before every call from
``VAULT_TOKEN_FILE``; it never appears in a message. Blocking: call it in a thread.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac  # type: ignore[import-untyped]  # hvac ships no types
import requests
from hvac import exceptions

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

TIMEOUT_SECONDS = 10
DATA_KEY_BITS = 256
DEFAULT_MOUNT = "transit"


class VaultUnreachable(AdxConnectionError):
    """Vault cannot be reached, is sealed or is failing."""

    exit_code = 6


class VaultTimedOut(AdxTimeoutError):
    """Vault did not answer in time."""

    exit_code = 6


class VaultRefused(AdxValidationError):
    """Vault refuses the request, or the settings are wrong."""


class VaultDenied(AdxError):
    """Vault does not accept the token for this."""


class Transit:
    """One key of Vault's transit engine."""

    def __init__(self, client: hvac.Client, key: str, *, mount: str, read_token: Callable[[], str]) -> None:
        self._client = client
        self._key = key
        self._mount = mount
        self._read_token = read_token

    @classmethod
    def from_settings(cls, environ: Mapping[str, str], key: str) -> Transit:
        """The transit key ``key`` of the Vault at ``VAULT_ADDR``. Contacts nobody. Raises VaultRefused."""
        address = environ.get("VAULT_ADDR")
        if not address:
            raise VaultRefused("no address of Vault is set", next_step="set VAULT_ADDR")
        client = hvac.Client(
            url=address,
            token="",
            timeout=TIMEOUT_SECONDS,
            verify=environ.get("VAULT_CACERT") or True,
            namespace=environ.get("VAULT_NAMESPACE") or None,
        )
        mount = environ.get("ADX_VAULT_TRANSIT_MOUNT") or DEFAULT_MOUNT
        return cls(client, key, mount=mount, read_token=_token_reader(environ))

    @property
    def name(self) -> str:
        """Mount and key."""
        return f"{self._mount}/{self._key}"

    def new_data_key(self) -> tuple[bytes, str]:
        """A new 32-byte key in clear, and the same wrapped by the transit key."""
        with self._ready("datakey") as transit:
            answer = transit.generate_data_key(
                name=self._key, key_type="plaintext", bits=DATA_KEY_BITS, mount_point=self._mount
            )
        return base64.b64decode(answer["data"]["plaintext"]), str(answer["data"]["ciphertext"])

    def unwrap(self, wrapped_key: str) -> bytes:
        """The key that ``new_data_key`` wrapped."""
        return self.decrypt(wrapped_key)

    def encrypt(self, plaintext: bytes) -> str:
        """Vault's ciphertext, ``vault:v1:…``."""
        encoded = base64.b64encode(plaintext).decode()
        with self._ready("encrypt") as transit:
            answer = transit.encrypt_data(name=self._key, plaintext=encoded, mount_point=self._mount)
        return str(answer["data"]["ciphertext"])

    def decrypt(self, ciphertext: str) -> bytes:
        """What ``encrypt`` was given; older versions of the transit key are Vault's business."""
        with self._ready("decrypt") as transit:
            answer = transit.decrypt_data(name=self._key, ciphertext=ciphertext, mount_point=self._mount)
        return base64.b64decode(answer["data"]["plaintext"])

    @contextmanager
    def _ready(self, operation: str) -> Iterator[Any]:
        self._client.token = self._read_token()
        with _translated(f"{operation} with {self.name}"):
            yield self._client.secrets.transit


def _token_reader(environ: Mapping[str, str]) -> Callable[[], str]:
    path, token = environ.get("VAULT_TOKEN_FILE"), environ.get("VAULT_TOKEN")
    if path:
        return lambda: _read_token_file(Path(path))
    if token:
        return lambda: token
    raise VaultRefused("no token for Vault is set", next_step="set VAULT_TOKEN_FILE or VAULT_TOKEN")


def _read_token_file(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise VaultRefused(f"VAULT_TOKEN_FILE cannot be read: {type(error).__name__}") from None


@contextmanager
def _translated(what: str) -> Iterator[None]:
    # hvac's messages repeat addresses and answers: only the class is passed on, and no cause.
    try:
        yield
    except (exceptions.Forbidden, exceptions.Unauthorized):
        raise VaultDenied(
            f"Vault does not allow {what}", next_step="renew the token, or give its policy this path"
        ) from None
    except (
        exceptions.InvalidPath,
        exceptions.InvalidRequest,
        exceptions.UnsupportedOperation,
        exceptions.ParamValidationError,
    ) as error:
        raise VaultRefused(
            f"Vault refuses {what} ({type(error).__name__})", next_step="check the transit mount and key's name"
        ) from None
    except requests.exceptions.Timeout:
        raise VaultTimedOut(f"Vault did not answer in time: {what}") from None
    except (exceptions.VaultError, requests.exceptions.RequestException) as error:
        raise VaultUnreachable(
            f"Vault is sealed, failing or cannot be reached ({type(error).__name__}): {what}",
            next_step="check VAULT_ADDR and `vault status`",
        ) from None
