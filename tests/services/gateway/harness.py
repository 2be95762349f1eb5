"""Services in a real Consul behind a real gateway: instances that come and go, and processes that may be killed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from scripts.stack.parts import consul
from scripts.stack.ports import choose
from scripts.toolchain import Toolchain
from scripts.traffic.shop_server import Behaviour
from scripts.traffic.shops import ShopServer, running_shop
from tests.support.waiting import wait_until
from workflows.services.gateway_config import GatewayConfig, caddy_config

HOST = "127.0.0.1"
_END_WITHIN_SECONDS = 15
# One for all: each of its own would read the machine's certificates anew.
HTTP = httpx.Client(verify=False, trust_env=False, timeout=30)


@dataclass
class Service:
    """A service of a name of its own: ``add`` starts and registers an instance, and waits until the gateway knows."""

    name: str
    url: str
    admin_url: str
    consul_url: str
    _running: ExitStack = field(repr=False)

    @property
    def at(self) -> str:
        """Where the gateway answers for it."""
        return f"{self.url}/{self.name}"

    def add(self, release: str, behaviour: Behaviour | None = None) -> ShopServer:
        """One more instance, which takes requests when this returns."""
        server = self._running.enter_context(running_shop(release, behaviour))
        self.register(server)
        self.wait_until_known(server)
        return server

    def register(self, server: ShopServer) -> None:
        """Put it into the registry, as always healthy."""
        meta = {"version": "1.0.0", "release": server.release}
        body = {"ID": self._id(server), "Name": self.name, "Address": HOST, "Port": server.port, "Meta": meta}
        HTTP.put(f"{self.consul_url}/v1/agent/service/register", json=body).raise_for_status()
        self._running.callback(self.deregister, server)

    def deregister(self, server: ShopServer) -> None:
        """Take it out of the registry; fine when it, or the registry, is gone."""
        with contextlib.suppress(httpx.TransportError):
            HTTP.put(f"{self.consul_url}/v1/agent/service/deregister/{self._id(server)}")

    def known(self) -> set[str]:
        """The addresses that the gateway gives requests to, or still waits for answers from."""
        answer = HTTP.get(f"{self.admin_url}/adx/services/{self.name}")
        seen = answer.json() if answer.is_success else {"releases": {}, "busy": {}}
        return {*seen["busy"], *(one for release in seen["releases"].values() for one in release["instances"])}

    def wait_until_known(self, server: ShopServer) -> None:
        """Until the gateway would give it requests."""
        wait_until(self.known, lambda known: server.address in known, timeout_seconds=30)

    def wait_until_forgotten(self, server: ShopServer) -> None:
        """Until the gateway gives it no more requests, and has all its answers."""
        wait_until(self.known, lambda known: server.address not in known, timeout_seconds=30)

    def put(self, releases: dict[str, int], **rules: Any) -> httpx.Response:
        """Set the split, without the client."""
        body = {"releases": releases, **rules}
        return HTTP.put(f"{self.admin_url}/adx/splits/{self.name}", json=body).raise_for_status()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series with these labels."""
        wanted = {"service": self.name, **labels}
        lines = HTTP.get(f"{self.admin_url}/metrics").text.splitlines()
        found = [line for line in lines if line.startswith(f"{name}{{")]
        return sum(
            float(line.rpartition(" ")[2])
            for line in found
            if all(f'{label}="{value}"' in line for label, value in wanted.items())
        )

    def _id(self, server: ShopServer) -> str:
        return f"{self.name}-{server.port}"


@contextlib.contextmanager
def service(url: str, admin_url: str, consul_url: str) -> Iterator[Service]:
    """A service without instances; its instances and its split end with the block."""
    with ExitStack() as running:
        made = Service(f"shop-{uuid.uuid4().hex[:8]}", url, admin_url, consul_url, running)
        yield made
        with contextlib.suppress(httpx.TransportError):
            HTTP.delete(f"{admin_url}/adx/splits/{made.name}")


@dataclass
class Program:
    """A server of a test's own, which may be killed and started again on the same ports.

    ``admin_url`` is where a gateway's admin API must answer, too, before it counts as started.
    """

    command: list[str]
    url: str
    log_file: Path
    is_ready_with: int = 200
    admin_url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._begin()
        wait_until(self._answers, bool, timeout_seconds=60)

    def ends(self) -> int:
        """Start it where that must fail; its exit status."""
        return self._begin().wait(60)

    def kill(self) -> None:
        """As kill -9 does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_END_WITHIN_SECONDS)

    def listening(self) -> list[tuple[str, int]]:
        """Where it listens; the same address twice while two sockets share it."""
        assert self.process is not None
        found = psutil.Process(self.process.pid).net_connections("tcp4")
        return [(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN]

    def _begin(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self.process

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"ended with {self.process.returncode}: {self.log_file.read_text()[-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            is_open = HTTP.get(self.url).status_code == self.is_ready_with
            return is_open and (not self.admin_url or _is_in_use(self.admin_url))
        return False


def _is_in_use(admin_url: str) -> bool:
    """Whether all of a configuration runs: Caddy starts its apps in any order, so the entrance may be open before."""
    socket = admin_url.removeprefix("unix://")
    if socket == admin_url:
        return HTTP.get(f"{admin_url}/adx/splits").is_success
    transport = httpx.HTTPTransport(verify=False, uds=socket)
    with httpx.Client(transport=transport, trust_env=False, timeout=30) as client:
        return client.get("http://caddy/adx/splits").is_success


def load_configuration(
    gateway: Program, admin_url: str, configuration: dict[str, Any], **headers: str
) -> httpx.Response:
    """``POST /load``; returns once no request can come to what the configuration replaces.

    Caddy answers while the admin server before, in a goroutine, is still being shut down. A connection to that one
    may be closed under the next request, so this one, the only one that HTTP keeps for the address, is given up. And
    old and new socket share the port until then: a new connection may be given to the old one and die with it.
    """
    answer = HTTP.post(f"{admin_url}/load", json=configuration, headers={"Connection": "close", **headers})
    wait_until(gateway.listening, lambda addresses: len(addresses) == len(set(addresses)))
    return answer


@contextlib.contextmanager
def own_consul(folder: Path) -> Iterator[Program]:
    """A dev agent of the test's own."""
    ports: dict[str, int] = {}
    for name in ("http", "grpc", "server", "serf_lan", "serf_wan"):
        ports[name] = choose(set(ports.values()))
    file = folder / "consul.json"
    file.write_text(json.dumps(consul.configuration(ports)))
    command = [tool("consul"), "agent", "-dev", f"-config-file={file}", "-log-level=warn"]
    program = Program(command, f"http://{HOST}:{ports['http']}/v1/catalog/nodes", folder / "consul.log")
    with _running(program):
        yield program


@contextlib.contextmanager
def own_gateway(
    folder: Path, consul_url: str, *, socket: Path | None = None, **more: Any
) -> Iterator[tuple[Program, str, str]]:
    """A gateway of the test's own: the program, its entrance and its admin API (at ``socket`` where that is given).

    ``more`` are fields of GatewayConfig.
    """
    http = choose(set())
    admin = choose({http})
    settings = GatewayConfig(
        listen=f"{HOST}:{http}",
        admin_listen=f"unix/{socket}|0600" if socket else f"{HOST}:{admin}",
        consul_url=consul_url,
        state_folder=str(folder / "state"),
        **{"allow_loopback": True, **more},
    )
    file = folder / "caddy.json"
    file.write_text(json.dumps(caddy_config(settings)))
    url, admin_url = f"http://{HOST}:{http}", f"unix://{socket}" if socket else f"http://{HOST}:{admin}"
    command = [tool("caddy"), "run", "--config", str(file)]
    # 404: it is open, and this is no service.
    program = Program(command, url, folder / "caddy.log", is_ready_with=404, admin_url=admin_url)
    with _running(program):
        yield program, url, admin_url


@contextlib.contextmanager
def _running(program: Program) -> Iterator[None]:
    program.start()
    try:
        yield
    finally:
        program.kill()


@contextlib.contextmanager
def answering(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """The port of an instance within this process, which is there at once: no Python has to start."""
    with ThreadingHTTPServer((HOST, port), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def tool(name: str) -> str:
    """The path of a built tool; the test fails where it is not built."""
    found = Toolchain().locate(name)
    if found is None:
        pytest.fail(f"not built yet: {name}; run `python -m scripts.toolchain build`", pytrace=False)
    return str(found.path)
