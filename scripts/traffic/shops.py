"""Starts and ends instances of the shop server (:mod:`scripts.traffic.shop_server`), each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scripts.traffic import shop_server
from scripts.traffic.shop_server import HOST, READY, Behaviour

_END_WITHIN_SECONDS = 15


@dataclass
class ShopServer:
    """A running instance."""

    release: str
    port: int
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{HOST}:{self.port}"

    def stats(self) -> dict[str, Any]:
        """What it counted, asked directly."""
        with urllib.request.urlopen(f"http://{self.address}/stats", timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait(_END_WITHIN_SECONDS)

    def end(self) -> None:
        """Ask it to finish, and wait; a process that does not is killed."""
        self.process.terminate()
        try:
            self.process.wait(_END_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def running_shop(release: str, behaviour: Behaviour | None = None, *, port: int = 0) -> Iterator[ShopServer]:
    """An instance of ``release``, listening when the block begins and ended after it."""
    server = start_shop(release, behaviour, port=port)
    try:
        yield server
    finally:
        server.end()


def start_shop(release: str, behaviour: Behaviour | None = None, *, port: int = 0) -> ShopServer:
    """The same for whoever ends it itself. RuntimeError when it does not come up."""
    command = [sys.executable, "-I", shop_server.__file__, f"--release={release}", f"--port={port}"]
    command += (behaviour or Behaviour()).arguments()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    if not line.startswith(READY):
        process.kill()
        process.wait(_END_WITHIN_SECONDS)
        raise RuntimeError(f"the shop server of {release} did not start")
    return ShopServer(release, int(line.removeprefix(READY)), process)
