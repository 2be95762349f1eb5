"""Secrets as a workload finds them: their forms in a file that ADX mounted, opened with the workload's own login."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

import msgspec

from policies.configuration.values import ConfigurationKey
from workflows.configuration.errors import ValueRefused
from workflows.configuration.secrets.opening import Opener, open_secrets

SETTING = "ADX_SEALED_FILE"


class _Sealed(msgspec.Struct):
    form: str
    context: str


async def open_mounted(environ: Mapping[str, str]) -> dict[str, str]:
    """The clear texts of all secrets in the file that ``ADX_SEALED_FILE`` names, by key; empty where it names none.

    Raises ValueRefused for a file that ADX did not make, and Vault's errors.
    """
    if not environ.get(SETTING):
        return {}
    sealed = read_mounted(Path(environ[SETTING]))
    opened = await open_secrets(Opener.from_settings(environ), sealed)
    return {key.key: text for key, text in opened.items()}


def read_mounted(file: Path) -> dict[ConfigurationKey, str]:
    """The forms in ``file`` by their keys. Raises ValueRefused."""
    try:
        entries = msgspec.json.decode(file.read_bytes(), type=dict[str, _Sealed])
        return {_key(entry.context): entry.form for entry in entries.values()}
    except (OSError, binascii.Error, ValueError, TypeError, msgspec.MsgspecError):
        raise ValueRefused(f"{file} is not what ADX mounts", next_step=f"look at {SETTING}") from None


def _key(context: str) -> ConfigurationKey:
    _, *parts = msgspec.json.decode(base64.b64decode(context, validate=True), type=list[str | None])
    key = msgspec.convert(
        dict(zip(("namespace", "environment", "service", "key", "tenant_id"), parts, strict=True)), ConfigurationKey
    )
    if base64.b64encode(key.canonical).decode() != context:
        raise ValueError("another form of a context")
    return key
