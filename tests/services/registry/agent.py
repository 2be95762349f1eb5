"""A Consul agent of one test's own, which can be killed, stopped and started again at the same address."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.stack import ports
from scripts.stack.parts import consul
from scripts.toolchain import Toolchain
from tests.support.waiting import wait_until

_END_WITHIN_SECONDS = 10


class Agent:
    """``start`` it before anything else; ``end`` it at the end. It forgets everything when it ends."""

    def __init__(self, folder: Path, **more: Any) -> None:
        tool = Toolchain().locate("consul")
        if tool is None:
            pytest.fail("not built yet: consul; run `python -m scripts.toolchain build`", pytrace=False)
        chosen: dict[str, int] = {}
        for name in consul.PART.ports:
            chosen[name] = ports.choose(set(chosen.values()))
        self.url = f"http://127.0.0.1:{chosen['http']}"
        self._file, self._log = folder / "consul.json", folder / "consul.log"
        self._file.write_text(json.dumps(consul.configuration(chosen) | more))
        self._command = [str(tool.path), "agent", "-dev", f"-config-file={self._file}"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, token: str = "") -> None:
        """Return once it has a leader."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: self._answers(token), bool)

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP makes it as silent as a host that has lost its network; SIGCONT ends that."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill it; fine when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_WITHIN_SECONDS)
            self._process = None

    def _answers(self, token: str) -> bool:
        try:
            nodes = httpx.get(f"{self.url}/v1/catalog/nodes", headers={"X-Consul-Token": token}, trust_env=False)
        except httpx.TransportError:
            return False
        return nodes.is_success and bool(nodes.json())
