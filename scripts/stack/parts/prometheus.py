"""Prometheus: one server on 127.0.0.1 that scrapes every second. Optional.

It scrapes the gateway of this stack, where there is one, and every target that a file in its folder ``targets`` names
(``file_sd``: JSON, ``[{"targets": ["127.0.0.1:8000"], "labels": {}}]``); files may come and go while it runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

_NAME = "prometheus"
_CONFIGURATION = "prometheus.yml"
_GATEWAYS = "ADX_CADDY_ADMIN_URLS"
_EVERY = "1s"
_KEPT_FOR = "6h"
_KEPT_AT_MOST = "512MB"


def settings(_home: Home, known: Record) -> dict[str, str]:
    """Where it is, while it runs."""
    if _NAME not in known.optional:
        return {}
    return {"ADX_PROMETHEUS_URL": f"http://127.0.0.1:{known.ports['prometheus.http']}"}


def targets_folder(home: Home) -> Path:
    """Where files name targets."""
    return home.data(_NAME) / "targets"


def configuration(targets: Path, gateways: list[str]) -> dict[str, Any]:
    """The configuration file; ``gateways`` are the admin URLs of Caddy."""
    files = {"files": [str(targets / "*.json")], "refresh_interval": _EVERY}
    addresses = [urlsplit(url).netloc for url in gateways]
    return {
        "global": {"scrape_interval": _EVERY, "scrape_timeout": _EVERY},
        "scrape_configs": [
            {"job_name": "files", "file_sd_configs": [files]},
            *([{"job_name": "gateway", "static_configs": [{"targets": addresses}]}] if addresses else []),
        ],
    }


def _gateways(context: Context) -> str:
    return context.settings().get(_GATEWAYS, "")


def _prepare(context: Context) -> None:
    targets = targets_folder(context.home)
    targets.mkdir(mode=0o700, parents=True, exist_ok=True)
    gateways = [url for url in _gateways(context).split(",") if url]
    # JSON is YAML, and needs no care with quotes.
    write_private(context.home.data(_NAME) / _CONFIGURATION, json.dumps(configuration(targets, gateways), indent=2))


def _command(context: Context) -> Command:
    """The gateways are in the environment only so that it is started anew when they change."""
    folder = context.home.data(_NAME)
    options = {
        "config.file": folder / _CONFIGURATION,
        "storage.tsdb.path": folder / "series",
        "storage.tsdb.retention.time": _KEPT_FOR,
        "storage.tsdb.retention.size": _KEPT_AT_MOST,
        "web.listen-address": f"127.0.0.1:{context.port(_NAME, 'http')}",
        "scrape.discovery-reload-interval": _EVERY,
        "log.level": "warn",
    }
    flags = tuple(f"--{name}={value}" for name, value in options.items())
    return Command((str(context.tool(_NAME)), *flags), {_GATEWAYS: _gateways(context)})


def _url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'http')}"


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: HttpProbe(f"{_url(context)}/-/ready"),
    ports=("http",),
    tools=(_NAME,),
    prepare=_prepare,
    address=_url,
)
