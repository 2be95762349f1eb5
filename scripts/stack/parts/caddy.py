"""The gateway: Caddy with ADX's modules, on 127.0.0.1, over the services that Consul knows. Optional; needs ``consul``.

A request for the service ``shop`` goes to ``ADX_GATEWAY_URL`` with the path ``/shop/…`` or the host ``shop.localhost``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

_NAME = "caddy"
_CONFIGURATION = "caddy.json"
_PROXY: dict[str, Any] = {
    "handler": "reverse_proxy",
    "dynamic_upstreams": {"source": "adx"},
    "load_balancing": {"try_duration": "5s", "try_interval": "10ms", "retry_match": [{"method": ["-"]}]},
    "transport": {
        "protocol": "http",
        "dial_timeout": "1s",
        "response_header_timeout": "60s",
        "keep_alive": {"idle_timeout": "4s", "max_idle_conns_per_host": 256},
        "compression": False,
        "network_proxy": {"from": "none"},
    },
}


def settings(_home: Home, known: Record) -> dict[str, str]:
    """Where its admin API and its entrance are, while it runs."""
    if _NAME not in known.optional:
        return {}
    return {
        "ADX_CADDY_ADMIN_URLS": f"http://127.0.0.1:{known.ports['caddy.admin']}",
        "ADX_GATEWAY_URL": f"http://127.0.0.1:{known.ports['caddy.http']}",
    }


def configuration(*, listen: str, admin_listen: str, consul_url: str, state_folder: Path) -> dict[str, Any]:
    """What ``workflows.services.gateway_config`` makes of the same, with ``allow_loopback``.

    It may not be imported here; a test compares.
    """
    route = {"handle": [{"handler": "adx_gateway", "find_by": ["host", "path"]}, _PROXY], "terminal": True}
    server = {
        "listen": [listen],
        "protocols": ["h1"],
        "read_header_timeout": "30s",
        "routes": [route],
        "automatic_https": {"disable": True},
    }
    return {
        "admin": {"listen": admin_listen, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {
            "adx": {
                "consul_url": consul_url,
                "state_folder": str(state_folder),
                "mirror_at_once": 64,
                "remember_seconds": 600,
                "allow_loopback": True,  # all that runs here is at 127.0.0.1
                "admin_listen": admin_listen,
            },
            "http": {"grace_period": "10s", "metrics": {}, "servers": {"gateway": server}},
        },
    }


def _prepare(context: Context) -> None:
    folder = context.home.data(_NAME)
    folder.mkdir(mode=0o700, exist_ok=True)
    made = configuration(
        listen=f"127.0.0.1:{context.port(_NAME, 'http')}",
        admin_listen=f"127.0.0.1:{context.port(_NAME, 'admin')}",
        consul_url=_consul_url(context),
        state_folder=folder / "state",
    )
    write_private(folder / _CONFIGURATION, json.dumps(made, indent=2))


def _command(context: Context) -> Command:
    """Consul's address is in the environment only so that it is started anew when that changes."""
    folder = context.home.data(_NAME)
    environment = {
        "XDG_DATA_HOME": str(folder / "xdg"),
        "XDG_CONFIG_HOME": str(folder / "xdg"),
        "ADX_CONSUL_URL": _consul_url(context),
    }
    return Command((str(context.tool(_NAME)), "run", "--config", str(folder / _CONFIGURATION)), environment)


def _consul_url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port('consul', 'http')}"


def _admin_url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'admin')}"


PART = Part(
    name=_NAME,
    command=_command,
    # Answers once the configuration is in use, and so the entrance is open.
    probe=lambda context: HttpProbe(f"{_admin_url(context)}/adx/splits"),
    ports=("http", "admin"),
    needs=("consul",),
    tools=(_NAME,),
    prepare=_prepare,
    address=lambda context: f"http://127.0.0.1:{context.port(_NAME, 'http')}",
    grace_seconds=15.0,
)
