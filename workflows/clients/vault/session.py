"""One Vault, logged in: calls with a living token, and an error of its own for everything that can be wrong.

What is wrong is asked of Vault (is it sealed, does the token live), never
guessed from the text of an answer; texts of Vault are not passed on. Blocking:
call it in a thread. Threads share the token's life, and nothing else: a client
holds the token of its last call, about which the next question may be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import hvac  # type: ignore[import-untyped]  # hvac ships no types
import requests
from hvac import exceptions

from workflows.clients.vault.errors import (
    VaultDenied,
    VaultRefused,
    VaultSealed,
    VaultTimedOut,
    VaultTokenExpired,
    VaultUnreachable,
)
from workflows.clients.vault.login import Login, TokenKeeper, login_from_settings

TIMEOUT_SECONDS = 10
_REFUSED = (exceptions.InvalidPath, exceptions.InvalidRequest, exceptions.UnsupportedOperation)
_DENIED = (exceptions.Forbidden, exceptions.Unauthorized)
Answer = TypeVar("Answer")


class VaultSession:
    """Calls to one Vault, by clients that ``new_client`` makes: one per thread. Contacts nobody until it is asked."""

    def __init__(self, new_client: Callable[[], hvac.Client], login: Login) -> None:
        self._new_client = new_client
        self._own = threading.local()
        self._keeper = TokenKeeper(login)
        self.calls = 0

    @classmethod
    def from_settings(cls, environ: Mapping[str, str]) -> VaultSession:
        """The Vault of ``VAULT_ADDR`` (``VAULT_CACERT``, ``VAULT_NAMESPACE``). Raises VaultRefused."""
        address = environ.get("VAULT_ADDR")
        if not address:
            raise VaultRefused("no address of Vault is set", next_step="set VAULT_ADDR")
        verify, namespace = environ.get("VAULT_CACERT") or True, environ.get("VAULT_NAMESPACE") or None

        def new_client() -> hvac.Client:
            return hvac.Client(url=address, token="", timeout=TIMEOUT_SECONDS, verify=verify, namespace=namespace)

        return cls(new_client, login_from_settings(environ))

    def call(self, what: str, ask: Callable[[hvac.Client], Answer]) -> Answer:
        """What ``ask`` gets from a client that is logged in; ``what`` names it in errors, which are those above."""
        try:
            return self._ask(ask)
        except _DENIED:
            if not self._lives() and self._keeper.can_log_in_again:
                self._keeper.forget(self._client.token)
                return self._again(what, ask)
            self._denied(what)
        except _FAILURES as error:
            raise self._translated(what, error) from None

    def keep_alive(self) -> None:
        """Renew the token if it is due; for a process that would not call otherwise. Raises the errors above."""
        try:
            self._keeper.token(self._client)
        except _DENIED:
            self._denied("a login")
        except _FAILURES as error:
            raise self._translated("a login", error) from None

    @property
    def _client(self) -> hvac.Client:
        """The client of this thread."""
        if not hasattr(self._own, "client"):
            self._own.client = self._new_client()
        return self._own.client

    def _ask(self, ask: Callable[[hvac.Client], Answer]) -> Answer:
        self._client.token = self._keeper.token(self._client)
        self.calls += 1
        return ask(self._client)

    def _again(self, what: str, ask: Callable[[hvac.Client], Answer]) -> Answer:
        try:
            return self._ask(ask)
        except _DENIED:
            self._denied(what)
        except _FAILURES as error:
            raise self._translated(what, error) from None

    def _denied(self, what: str) -> NoReturn:
        if self._lives():
            raise VaultDenied(
                f"Vault does not allow {what}", next_step="give the policy of the login this path"
            ) from None
        raise VaultTokenExpired(
            f"Vault's token is expired or revoked: {what}", next_step="log in again, or renew the token in time"
        ) from None

    def _lives(self) -> bool:
        """Whether Vault knows the token; every token may ask that (Vault's policy ``default``)."""
        try:
            self._client.auth.token.lookup_self()
        except _DENIED:
            return False
        except _FAILURES as error:
            raise self._translated("a look at the token", error) from None
        return True

    def _translated(self, what: str, error: Exception) -> Exception:
        if isinstance(error, requests.exceptions.Timeout):
            return VaultTimedOut(f"Vault did not answer in time: {what}")
        if isinstance(error, (*_REFUSED, exceptions.ParamValidationError)):
            return VaultRefused(f"Vault refuses {what}", next_step="check the names of the mount and of the key")
        if isinstance(error, exceptions.VaultDown) and self._is_sealed():
            return VaultSealed(f"Vault is sealed: {what}", next_step="unseal it: `vault operator unseal`")
        return VaultUnreachable(
            f"Vault is failing or cannot be reached ({type(error).__name__}): {what}",
            next_step="check VAULT_ADDR and `vault status`",
        )

    def _is_sealed(self) -> bool:
        try:
            status: Any = self._client.sys.read_seal_status()
        except _FAILURES:
            return False
        return bool(status["sealed"])


_FAILURES = (exceptions.VaultError, requests.exceptions.RequestException)
