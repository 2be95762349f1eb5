"""Keeps secrets out of messages: what the engine's processes know is replaced before anything is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.engine.settings import EngineSettings
from infra.errors import PassphraseMissing

REPLACEMENT = "[secret]"
SECRET_KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret")
SECRET_VARIABLES = ("TOKEN", "SECRET", "PASSWORD")
SHORTEST = 6  # shorter values would blacken ordinary words


def passphrase(settings: EngineSettings) -> str:
    """The passphrase that protects the state; raises PassphraseMissing rather than go on with an empty one."""
    if settings.passphrase_file is None:
        raise PassphraseMissing(
            "no passphrase for the state's secrets: PULUMI_CONFIG_PASSPHRASE_FILE is not set",
            next_step="`adx up` creates one; elsewhere name a file (mode 0600) that holds it",
        )
    try:
        text = settings.passphrase_file.read_text().strip()
    except OSError as error:
        raise PassphraseMissing(f"the passphrase file cannot be read: {error}") from error
    if not text:
        raise PassphraseMissing(
            f"the passphrase file {settings.passphrase_file} is empty",
            next_step="write a random passphrase into it; an empty one protects nothing",
        )
    return text


class Scrubber:
    """Replaces every known secret in a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        usable = {secret for secret in secrets if len(secret) >= SHORTEST}
        self._secrets = sorted(usable, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """``text`` without any known secret."""
        for secret in self._secrets:
            text = text.replace(secret, REPLACEMENT)
        return text


def scrubber_for(settings: EngineSettings) -> Scrubber:
    """Knows the passphrase, the credentials in the kubeconfig and those among the inherited variables."""
    known = [*kubeconfig_secrets(settings.kubeconfig), *variable_secrets(settings.inherited)]
    if settings.secrets_provider == "passphrase":
        known.append(passphrase(settings))
    return Scrubber(known)


def variable_secrets(environ: Mapping[str, str]) -> list[str]:
    """Values of variables whose name says that they are secret."""
    return [value for name, value in environ.items() if any(word in name.upper() for word in SECRET_VARIABLES)]


def kubeconfig_secrets(kubeconfig: Path) -> list[str]:
    """Every credential that stands in the file itself; nothing when it cannot be read (Pulumi will say so)."""
    try:
        content = yaml.load(kubeconfig.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError):
        return []
    return list(_secret_values(content))


def _secret_values(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in SECRET_KEYS and isinstance(item, str):
                yield item
            else:
                yield from _secret_values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_values(item)
