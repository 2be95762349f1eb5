"""Toxiproxy (https://github.com/Shopify/toxiproxy): TCP proxies that are slow, break connections, or are away."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.stack import ports
from scripts.toolchain import Toolchain
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
_END_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Line:
    """One proxied server; connect to ``port`` instead of the server's own."""

    name: str
    port: int
    api: httpx.Client

    def be_away(self) -> None:
        """End all connections and accept no other."""
        self._post(f"/proxies/{self.name}", {"enabled": False})

    def come_back(self) -> None:
        """Accept connections again, as if nothing had been."""
        self._post(f"/proxies/{self.name}", {"enabled": True})

    def be_slow(self, *, latency_ms: int, jitter_ms: int) -> None:
        """Let every answer come so much later."""
        self._add("latency", {"latency": latency_ms, "jitter": jitter_ms})

    def reset(self) -> None:
        """End every connection with a TCP reset as soon as something is answered on it."""
        self._add("reset_peer", {"timeout": 0})

    def be_well(self) -> None:
        """Take back ``be_slow`` and ``reset``."""
        for toxic in self.api.get(f"/proxies/{self.name}/toxics").raise_for_status().json():
            self.api.delete(f"/proxies/{self.name}/toxics/{toxic['name']}").raise_for_status()

    def _add(self, kind: str, attributes: dict[str, int]) -> None:
        self._post(f"/proxies/{self.name}/toxics", {"type": kind, "stream": "downstream", "attributes": attributes})

    def _post(self, path: str, content: dict[str, Any]) -> None:
        self.api.post(path, json=content).raise_for_status()


@dataclass(frozen=True)
class Toxiproxy:
    """A running toxiproxy."""

    api: httpx.Client

    def line(self, name: str, port: int) -> Line:
        """A proxy before the server at ``port`` of this machine."""
        asked = {"name": name, "listen": f"{HOST}:0", "upstream": f"{HOST}:{port}", "enabled": True}
        made = self.api.post("/proxies", json=asked).raise_for_status().json()
        return Line(name, int(made["listen"].rpartition(":")[2]), self.api)


@contextlib.contextmanager
def running_toxiproxy(log_file: Path) -> Iterator[Toxiproxy]:
    """Start one, and end it with the block; the test fails where it is not built."""
    tool = Toolchain().locate("toxiproxy")
    if tool is None:
        pytest.fail("not built yet: toxiproxy; run `python -m scripts.toolchain build`", pytrace=False)
    port = ports.choose(set())  # below those that a passing client may be given before toxiproxy listens
    command = [str(tool.path), "-host", HOST, "-port", str(port)]
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=30) as api:
            wait_until(lambda: _answers(api), bool)
            yield Toxiproxy(api)
    finally:
        process.terminate()
        process.wait(_END_WITHIN_SECONDS)


def _answers(api: httpx.Client) -> bool:
    try:
        return api.get("/version").is_success
    except httpx.TransportError:
        return False
