"""Which token may read what. The file holds digests of tokens, never tokens.

::

    [{"name": "frontend", "token_sha256": "9f86…", "namespaces": ["boutique-staging"],
      "environments": ["staging"], "services": ["frontend"], "tenants": ["*"], "secrets": true}]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipelines.http.bearer import digest_of_token, token_in
from policies.spec import Spec
from workflows.errors import AdxValidationError

ALL = "*"
_NEXT_STEP = 'each grant needs name, token_sha256, namespaces (such as ["boutique-staging"]), environments and services'
_DIGEST = re.compile(r"[0-9a-f]{64}")


class GrantsRefused(AdxValidationError):
    """The file of grants is missing, empty or not in its form."""


class Grant(Spec):
    """What the token with this digest may read; ``*`` is all. Without ``tenants`` only what is everybody's.

    One store may serve several platforms, whose environments and services have the same names: ``namespaces`` says
    whose values these are.
    """

    name: str
    token_sha256: str
    namespaces: tuple[str, ...]
    environments: tuple[str, ...]
    services: tuple[str, ...]
    tenants: tuple[str, ...] = ()
    secrets: bool = False

    def allows(self, namespace: str, environment: str, service: str, tenant_id: str | None) -> bool:
        """Whether values of this service may be read."""
        return (
            _is_in(namespace, self.namespaces)
            and _is_in(environment, self.environments)
            and _is_in(service, self.services)
            and (tenant_id is None or _is_in(tenant_id, self.tenants))
        )


class Grants:
    """All grants, by the digest of their tokens: looking one up compares no token."""

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        self._by_digest = {grant.token_sha256: grant for grant in grants}
        if not grants:
            raise GrantsRefused("no token may read anything", next_step="write a grant into the file")
        if len(self._by_digest) != len(grants):
            raise GrantsRefused("two grants have the same token", next_step="give each reader a token of its own")
        for grant in grants:
            if not _DIGEST.fullmatch(grant.token_sha256):
                raise GrantsRefused(
                    f"token_sha256 of {grant.name} is no SHA-256 in lower-case hex",
                    next_step='printf %s "$TOKEN" | sha256sum',
                )

    @classmethod
    def from_settings(cls, environ: Mapping[str, str]) -> Grants:
        """The grants in the file of ``ADX_CONFIGURATION_GRANTS_FILE``. Raises GrantsRefused."""
        path = environ.get("ADX_CONFIGURATION_GRANTS_FILE")
        if not path:
            raise GrantsRefused("no file of grants is set", next_step="set ADX_CONFIGURATION_GRANTS_FILE")
        try:
            return cls(msgspec.json.decode(Path(path).read_bytes(), type=tuple[Grant, ...]))
        except OSError as error:
            raise GrantsRefused(f"{path} cannot be read: {type(error).__name__}") from None
        except msgspec.MsgspecError as error:
            raise GrantsRefused(f"{path} is not a list of grants: {error}", next_step=_NEXT_STEP) from None

    def of(self, authorization: str | None) -> Grant | None:
        """The grant of an ``Authorization: Bearer …`` header; None when there is none."""
        token = token_in(authorization)
        return self._by_digest.get(digest_of_token(token)) if token else None


def _is_in(name: str, names: tuple[str, ...]) -> bool:
    return ALL in names or name in names
