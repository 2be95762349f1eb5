"""Addresses and folders of this machine that stand for those in the pages."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.stack import ports

_ADDRESS = re.compile(r"(?<![\w.])(?:127\.0\.0\.1|0\.0\.0\.0|localhost|flags):(\d{4,5})(?!\d)")
DEFAULTS = {
    "ADX_API_LISTEN": 8791,
    "ADX_CONFIGURATION_LISTEN": 8790,
    "ADX_FLAGS_LISTEN": 8016,
    "ADX_WORKER_LISTEN": 9464,
}
_SECRETS = "/run/secrets/"


class Places:
    """Ports and folders of this machine that stand for those in the pages, the same ones in all commands."""

    def __init__(self, folder: Path) -> None:
        self._secrets = f"{folder}{_SECRETS}"
        self._ports: dict[int, int] = {}

    def port(self, documented: int) -> int:
        """A free one."""
        if documented not in self._ports:
            self._ports[documented] = ports.choose(set(self._ports.values()))
        return self._ports[documented]

    def here(self, text: str) -> str:
        """``text`` with what is to be used here."""
        text = _ADDRESS.sub(lambda match: f"127.0.0.1:{self.port(int(match[1]))}", text)
        return text.replace(_SECRETS, self._secrets)

    def variables(self) -> dict[str, str]:
        """Where servers listen that are not told; where the pages' `$API` is."""
        listen = {name: f"127.0.0.1:{self.port(number)}" for name, number in DEFAULTS.items()}
        return {**listen, "API": f"http://{listen['ADX_API_LISTEN']}"}
