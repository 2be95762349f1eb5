"""Who may do what. The file holds digests of tokens, never tokens.

::

    [{"name": "ci", "role": "migrate", "token_sha256": "9f86…",
      "environments": ["staging"], "tenants": ["*"]}]

``read`` looks at operations, ``migrate`` starts them too, ``admin`` stops them too.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from pipelines.api.starter import Scope
from pipelines.http.bearer import digest_of_token, new_token, token_in
from policies.errors import AdxError
from policies.spec import Spec
from workflows.telemetry import logs

FILE_SETTING, LIST_SETTING = "ADX_API_TOKENS_FILE", "ADX_API_TOKENS"
Role = Literal["read", "migrate", "admin"]
ROLES: tuple[Role, ...] = ("read", "migrate", "admin")  # each may do what those before it may
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class TokensRefused(AdxError):
    """The list of tokens is missing, or not in its form."""

    exit_code = 2


class Caller(Spec):
    """Whoever holds the token with this digest. Names of environments and tenants; ``*`` is all."""

    name: str
    role: Role
    token_sha256: str
    environments: tuple[str, ...] = ("*",)
    tenants: tuple[str, ...] = ("*",)

    @property
    def scope(self) -> Scope:
        """Which operations it may see, start and stop."""
        return Scope(environments=self.environments, tenants=self.tenants)

    def may(self, role: Role) -> bool:
        """Whether its role is this one or a higher."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller(name="local", role="admin", token_sha256="")
Known = Callable[[str | None], Caller | None]
"""The caller of an ``Authorization`` header; None when it is nobody."""


def anybody(_authorization: str | None) -> Caller:
    """Without tokens everybody is ``local``; only for what this machine alone can reach."""
    return LOCAL


def decoded(content: bytes, where: str) -> tuple[Caller, ...]:
    """The callers in ``content``. Raises TokensRefused, without quoting it."""
    try:
        callers = msgspec.json.decode(content, type=tuple[Caller, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TokensRefused(
            f"{where} is not a list of tokens: {error}", next_step="make one with `adx api token`"
        ) from None
    digests = [caller.token_sha256 for caller in callers]
    for caller in callers:
        if not _DIGEST.fullmatch(caller.token_sha256) or not _NAME.fullmatch(caller.name):
            raise TokensRefused(
                f"{where}: {caller.name[:64]!r} needs a plain name and a SHA-256 in lower-case hex",
                next_step="make one with `adx api token`",
            )
    if len(set(digests)) != len(digests) or len({caller.name for caller in callers}) != len(callers):
        raise TokensRefused(f"{where}: two have the same name or token", next_step="give each caller its own")
    return callers


def match(callers: Sequence[Caller], authorization: str | None) -> Caller | None:
    """The caller whose token it is. Every digest is compared, each in constant time."""
    token = token_in(authorization)
    digest, found = digest_of_token(token), None
    for caller in callers:
        if hmac.compare_digest(caller.token_sha256, digest):
            found = caller
    return found if token else None


class TokenFile:
    """The callers of a file, read again when it is replaced, so that a token taken away is refused at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._callers = self._read()

    def known(self, authorization: str | None) -> Caller | None:
        """The caller of an ``Authorization`` header."""
        self._look()
        return match(self._callers, authorization)

    def _look(self) -> None:
        if self._stamp() == self._seen:
            return
        try:
            self._callers = self._read()
        except TokensRefused as error:
            # Nobody gets in by a file that cannot be read: it may have been replaced to shut somebody out.
            logs.logger().error("tokens cannot be read; nobody is let in", error=str(error))
            self._callers, self._seen = (), self._stamp()

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> tuple[Caller, ...]:
        stamp = self._stamp()
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise TokensRefused(
                f"{self._path} cannot be read: {error.strerror}", next_step="make it with `adx api token --file`"
            ) from None
        callers, self._seen = decoded(content, str(self._path)), stamp
        return callers


def made(name: str, role: Role, environments: Sequence[str], tenants: Sequence[str]) -> tuple[str, Caller]:
    """A new token and what the file keeps of it. Raises TokensRefused for a name that is none."""
    token = new_token()
    caller = Caller(
        name=name,
        role=role,
        token_sha256=digest_of_token(token),
        environments=tuple(environments) or ("*",),
        tenants=tuple(tenants) or ("*",),
    )
    decoded(msgspec.json.encode([caller]), "the new token")
    return token, caller


def add_to_file(path: Path, caller: Caller) -> None:
    """Add ``caller`` to the file (0600), replacing it whole. Raises TokensRefused; the file is then as it was."""
    try:
        before = decoded(path.read_bytes(), str(path)) if path.exists() else ()
        content = msgspec.json.format(msgspec.json.encode([*before, caller]), indent=2) + b"\n"
        decoded(content, str(path))
        fresh = path.with_name(f".{path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        fresh.replace(path)
    except OSError as error:
        raise TokensRefused(
            f"{path} cannot be written: {error.strerror}", next_step="choose another file with --file"
        ) from None
