"""How ADX logs in to Vault, and how its token is kept alive: a token, AppRole or Kubernetes.

========== ======================================================================================
token      ``VAULT_TOKEN``, renewed; or ``VAULT_TOKEN_FILE``, read each time, renewed by its agent
AppRole    ``ADX_VAULT_ROLE_ID`` and ``ADX_VAULT_SECRET_ID_FILE`` (or ``ADX_VAULT_SECRET_ID``)
Kubernetes ``ADX_VAULT_KUBERNETES_ROLE``, with the token of the pod's service account
========== ======================================================================================

Blocking, and safe to share between threads. Nothing here appears in a message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import hvac  # type: ignore[import-untyped]  # hvac ships no types
from hvac import exceptions

from workflows.clients.vault.errors import VaultRefused

RENEW_BELOW_SHARE = 1 / 3  # of its life, when a token is renewed
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path


class Login(Protocol):
    """A way to get a token: ``get`` asks Vault and returns its answer's ``auth``."""

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be done again when the token is refused."""

    def get(self, client: hvac.Client) -> Mapping[str, Any]:
        """A token with ``client_token``, ``lease_duration`` (seconds, 0: for ever) and ``renewable``."""


@dataclass(frozen=True, repr=False)
class TokenLogin:
    """A token that was given; Vault is asked how long it lives."""

    token: str
    is_repeatable: bool = False

    def get(self, client: hvac.Client) -> Mapping[str, Any]:
        """The token and its life."""
        client.token = self.token
        found = client.auth.token.lookup_self()["data"]
        return {"client_token": self.token, "lease_duration": found["ttl"], "renewable": found.get("renewable", False)}


@dataclass(frozen=True)
class TokenFileLogin:
    """A token file that somebody else renews: it is read again for every call."""

    path: Path
    is_repeatable: bool = True

    def get(self, client: hvac.Client) -> Mapping[str, Any]:
        """The token as it stands there now, at once to be read again."""
        del client
        return {"client_token": read_secret_file(self.path, "VAULT_TOKEN_FILE"), "lease_duration": 0, "once": True}


@dataclass(frozen=True, repr=False)
class AppRoleLogin:
    """AppRole; the secret id is read at every login, since it is rotated."""

    role_id: str
    read_secret_id: Callable[[], str]
    mount: str = "approle"
    is_repeatable: bool = True

    def get(self, client: hvac.Client) -> Mapping[str, Any]:
        """A new token."""
        answer = client.auth.approle.login(
            role_id=self.role_id, secret_id=self.read_secret_id(), use_token=False, mount_point=self.mount
        )
        auth: Mapping[str, Any] = answer["auth"]
        return auth


@dataclass(frozen=True, repr=False)
class KubernetesLogin:
    """The pod's service account; its token is read at every login, since the kubelet rotates it."""

    role: str
    token_file: Path
    mount: str = "kubernetes"
    is_repeatable: bool = True

    def get(self, client: hvac.Client) -> Mapping[str, Any]:
        """A new token."""
        token = read_secret_file(self.token_file, "ADX_VAULT_KUBERNETES_TOKEN_FILE")
        answer = client.auth.kubernetes.login(role=self.role, jwt=token, use_token=False, mount_point=self.mount)
        auth: Mapping[str, Any] = answer["auth"]
        return auth


class TokenKeeper:
    """A token that is there when it is needed: renewed before it expires, got anew where that is possible."""

    def __init__(self, login: Login, clock: Callable[[], float] = time.monotonic) -> None:
        self._login = login
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._life_seconds = 0.0
        self._expires_at = float("-inf")
        self._is_renewable = False

    @property
    def can_log_in_again(self) -> bool:
        """Whether a token that is refused can be replaced."""
        return self._login.is_repeatable

    def token(self, client: hvac.Client) -> str:
        """A token that lives; Vault is asked only when it must be. Raises hvac's and requests' errors."""
        with self._lock:
            remaining_seconds = self._expires_at - self._clock()
            if remaining_seconds <= 0:
                self._take(self._login.get(client))
            elif remaining_seconds < self._life_seconds * RENEW_BELOW_SHARE:
                self._renew(client)
            return self._token

    def forget(self, token: str) -> None:
        """``token`` was refused: log in again next time, unless another thread has done so."""
        with self._lock:
            if token == self._token:
                self._expires_at = float("-inf")

    def _renew(self, client: hvac.Client) -> None:
        client.token = self._token
        try:
            if self._is_renewable:
                self._take(client.auth.token.renew_self()["auth"])
            elif self._login.is_repeatable:
                self._take(self._login.get(client))
        except (exceptions.Forbidden, exceptions.InvalidRequest):  # it has reached the end of what it may live
            if self._login.is_repeatable:
                self._take(self._login.get(client))

    def _take(self, auth: Mapping[str, Any]) -> None:
        self._token = str(auth["client_token"])
        self._is_renewable = bool(auth.get("renewable", False))
        life_seconds = float(auth.get("lease_duration", 0))
        self._life_seconds = life_seconds or float("inf")
        # A token at the end of its life is renewed to a shorter one: then the share is of what is left.
        self._expires_at = float("-inf") if auth.get("once") else self._clock() + self._life_seconds


def login_from_settings(environ: Mapping[str, str]) -> Login:
    """The login that the settings ask for. Contacts nobody. Raises VaultRefused when there is none."""
    if role := environ.get("ADX_VAULT_KUBERNETES_ROLE"):
        file = environ.get("ADX_VAULT_KUBERNETES_TOKEN_FILE") or SERVICE_ACCOUNT_TOKEN
        return KubernetesLogin(role, Path(file), environ.get("ADX_VAULT_KUBERNETES_MOUNT") or "kubernetes")
    if role_id := environ.get("ADX_VAULT_ROLE_ID"):
        return AppRoleLogin(role_id, _secret_id(environ), environ.get("ADX_VAULT_APPROLE_MOUNT") or "approle")
    if path := environ.get("VAULT_TOKEN_FILE"):
        return TokenFileLogin(Path(path))
    if token := environ.get("VAULT_TOKEN"):
        return TokenLogin(token)
    raise VaultRefused(
        "no login to Vault is set",
        next_step="set ADX_VAULT_KUBERNETES_ROLE, ADX_VAULT_ROLE_ID, VAULT_TOKEN_FILE or VAULT_TOKEN",
    )


def read_secret_file(path: Path, setting: str) -> str:
    """The text in a file of ``setting``. Raises VaultRefused, without its content."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise VaultRefused(f"the file of {setting} cannot be read: {type(error).__name__}") from None


def _secret_id(environ: Mapping[str, str]) -> Callable[[], str]:
    if path := environ.get("ADX_VAULT_SECRET_ID_FILE"):
        return lambda: read_secret_file(Path(path), "ADX_VAULT_SECRET_ID_FILE")
    secret_id = environ.get("ADX_VAULT_SECRET_ID", "")
    if not secret_id:
        raise VaultRefused("ADX_VAULT_ROLE_ID is set without its secret id", next_step="set ADX_VAULT_SECRET_ID_FILE")
    return lambda: secret_id
