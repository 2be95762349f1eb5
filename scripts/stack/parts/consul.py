"""Consul: a dev agent (one server, in memory) on 127.0.0.1. Optional."""

from __future__ import annotations

import json
from typing import Any

from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

_NAME = "consul"
_CONFIGURATION = "consul.json"
_OFF = -1
# All are chosen: with the usual numbers a second stack, or a Consul of the machine's own, would be in the way.
_PORTS = ("http", "grpc", "server", "serf_lan", "serf_wan")


def settings(_home: Home, known: Record) -> dict[str, str]:
    """Where it is, while it runs."""
    if _NAME not in known.optional:
        return {}
    return {"ADX_CONSUL_URL": f"http://127.0.0.1:{known.ports['consul.http']}"}


def configuration(ports: dict[str, int]) -> dict[str, Any]:
    """The agent's configuration with ``ports``, one for each of HTTP, gRPC, the server's RPC and both gossip pools."""
    return {
        "bind_addr": "127.0.0.1",
        "client_addr": "127.0.0.1",
        "node_name": "adx-local",
        "ports": {**ports, "dns": _OFF, "https": _OFF, "grpc_tls": _OFF},
        "disable_update_check": True,
        # Checks that run programs stay off: whoever reaches the port could run anything.
        "enable_script_checks": False,
    }


def _prepare(context: Context) -> None:
    folder = context.home.data(_NAME)
    folder.mkdir(mode=0o700, exist_ok=True)
    ports = {name: context.port(_NAME, name) for name in _PORTS}
    write_private(folder / _CONFIGURATION, json.dumps(configuration(ports)))


def _command(context: Context) -> Command:
    folder = context.home.data(_NAME)
    own = (f"-data-dir={folder}", f"-config-file={folder / _CONFIGURATION}", "-log-level=warn")
    return Command((str(context.tool(_NAME)), "agent", "-dev", *own))


def _url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'http')}"


PART = Part(
    name=_NAME,
    command=_command,
    # Answers without an error only once there is a leader, so that registrations are taken.
    probe=lambda context: HttpProbe(f"{_url(context)}/v1/catalog/nodes"),
    ports=_PORTS,
    tools=("consul",),
    prepare=_prepare,
    address=_url,
)
