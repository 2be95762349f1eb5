"""Secrets as they stand in Git: Vault's ciphertext, or a reference into Vault's key-value store. Pure.

::

    vault:v1:kRqGDn…            ciphertext of the transit engine, made by `adx config encrypt`
    vault:kv/shop/rates#token   field ``token`` of ``shop/rates`` in the KV version 2 engine mounted at ``kv``

Every text that begins with ``vault:`` is meant to be one of the two. A
ciphertext is bound to its key, tenant and environment: the canonical form of
the key is the context of Vault's key derivation, so that the same text in
another place does not decrypt.
"""

from __future__ import annotations

import re

from policies.configuration.values import ConfigurationKey
from policies.spec import Spec

PREFIX = "vault:"
TENANT_FOLDER = "tenants"
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]{38,}={0,2})")
_REFERENCE = re.compile(
    r"vault:([a-z0-9][a-z0-9_-]{0,63})/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,15})"
    r"#([A-Za-z_][A-Za-z0-9_.-]{0,127})"
)


class Ciphertext(Spec):
    """Made by the transit engine with version ``key_version`` of its key."""

    text: str
    key_version: int


class KvReference(Spec):
    """Field ``field`` of the secret at ``path`` of the KV version 2 engine at ``mount``."""

    mount: str
    path: str
    field: str

    @property
    def tenant(self) -> str | None:
        """Whose secret it is: the part of the path after ``tenants``; None when it is no tenant's."""
        parts = self.path.split("/")
        if TENANT_FOLDER not in parts:
            return None
        place = parts.index(TENANT_FOLDER) + 1
        return parts[place] if place < len(parts) - 1 else ""


SecretText = Ciphertext | KvReference


def is_secret_text(value: object) -> bool:
    """Whether ``value`` is meant to be the form of a secret, well written or not."""
    return isinstance(value, str) and value.startswith(PREFIX)


def parse_secret(text: str) -> SecretText | None:
    """What ``text`` stands for; None when it is neither form, as it should be written."""
    found = _CIPHERTEXT.fullmatch(text)
    if found is not None:
        return Ciphertext(text=text, key_version=int(found.group(1)))
    found = _REFERENCE.fullmatch(text)
    return None if found is None else KvReference(mount=found.group(1), path=found.group(2), field=found.group(3))


def why_secret_is_refused(text: str, key: ConfigurationKey) -> str | None:
    """Why ``text`` is no secret that ``key`` may have; None when it is. What a ciphertext is bound to, Vault tells."""
    secret = parse_secret(text)
    if secret is None:
        return "a secret is Vault's ciphertext or a reference to Vault, and this has neither of its two forms"
    return _why_place_is_refused(secret, key)


def _why_place_is_refused(secret: SecretText, key: ConfigurationKey) -> str | None:
    """Another tenant's path in Vault, or none of its own."""
    if isinstance(secret, Ciphertext) or secret.tenant == key.tenant_id:
        return None
    if key.tenant_id is None:
        return "the reference leads to a tenant's secret, and this value is everybody's"
    if secret.tenant is None:
        return f"the reference does not lead below {TENANT_FOLDER}/{key.tenant_id}/"
    return "the reference leads to another tenant's secret"
