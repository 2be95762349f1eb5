"""The configuration of the gateway: Caddy's JSON with ADX's modules (``scripts/toolchain/caddy/``). Pure.

One route serves all services, so that none comes or goes by a reload: a reload
of Caddy closes idle connections, and a client may lose a request by that. Which
service a request is for stands in its host name or path; ``hosts`` and
``prefixes`` are for services that are to be known by another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# Caddy's documentation of JSON: https://caddyserver.com/docs/json/
FindBy = Literal["host", "path", "header"]

# Shorter than the five seconds after which common servers close an idle connection:
# a request that meets such a close on its way is lost.
_UPSTREAM_IDLE_SECONDS = 4
_HEADERS_WITHIN_SECONDS = 30
_DIAL_TIMEOUT_SECONDS = 1
_TRY_SECONDS = 5
_TRY_AGAIN_AFTER_MILLISECONDS = 10
_NO_METHOD = "-"


@dataclass(frozen=True)
class GatewayConfig:
    """What differs between gateways. ``listen`` and ``admin_listen`` are Caddy's network addresses.

    ``find_by`` tells where a service's name is looked for, in this order: in the host name (its first label), the
    path (its first segment, which is taken off) or the header ``service_header``. ``hosts`` (host name → service) and
    ``prefixes`` (path prefix, kept → service) come first.

    An instance that does not begin to answer within ``response_header_timeout_seconds`` is given up (504).
    ``trusted_proxies`` are address ranges (CIDR) whose ``X-Forwarded-*`` headers are believed. ``allow_loopback``:
    instances may be registered at addresses of the gateway's own machine. Instances that were written down more
    than ``remember_seconds`` ago are not used at a start.
    """

    listen: str
    admin_listen: str
    consul_url: str
    state_folder: str
    consul_token_file: str = ""
    find_by: tuple[FindBy, ...] = ("host", "path")
    service_header: str = "X-Adx-Service"
    hosts: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    mirror_at_once: int = 64
    remember_seconds: int = 600
    response_header_timeout_seconds: int = 60
    trusted_proxies: tuple[str, ...] = ()
    allow_loopback: bool = False
    grace_seconds: int = 10
    with_automatic_https: bool = False


def caddy_config(settings: GatewayConfig) -> dict[str, Any]:
    """The whole configuration file; Caddy's ``run --config`` takes it as JSON."""
    app = {
        "consul_url": settings.consul_url,
        "consul_token_file": settings.consul_token_file,
        "state_folder": settings.state_folder,
        "mirror_at_once": settings.mirror_at_once,
        "remember_seconds": settings.remember_seconds,
        "allow_loopback": settings.allow_loopback,
        "admin_listen": settings.admin_listen,
    }
    server: dict[str, Any] = {
        "listen": [settings.listen],
        "read_header_timeout": f"{_HEADERS_WITHIN_SECONDS}s",
        "routes": _routes(settings),
    }
    if settings.trusted_proxies:
        # Strict: from the right, as each proxy adds the address that it saw. What stands left of those is the client's.
        server |= {
            "trusted_proxies": {"source": "static", "ranges": list(settings.trusted_proxies)},
            "trusted_proxies_strict": 1,
        }
    if not settings.with_automatic_https:
        server |= {"protocols": ["h1"], "automatic_https": {"disable": True}}
    return {
        # Nothing may be loaded into it by a request alone: what is to be after a restart stands in the file.
        "admin": {"listen": settings.admin_listen, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {
            "adx": {name: value for name, value in app.items() if value},
            "http": {"grace_period": f"{settings.grace_seconds}s", "metrics": {}, "servers": {"gateway": server}},
        },
    }


def _routes(settings: GatewayConfig) -> list[dict[str, Any]]:
    """Fixed names first, the longest prefix before those that it begins with."""
    hosts = [
        _route(settings, {"service": service}, {"host": [host]}) for host, service in sorted(settings.hosts.items())
    ]
    by_length = sorted(settings.prefixes.items(), key=lambda item: (-len(item[0]), item[0]))
    prefixes = [_route(settings, {"service": service}, {"path": _paths(prefix)}) for prefix, service in by_length]
    finding: dict[str, Any] = {"find_by": list(settings.find_by)}
    if "header" in settings.find_by:
        finding["header"] = settings.service_header
    return [*hosts, *prefixes, *([_route(settings, finding)] if settings.find_by else [])]


def _route(
    settings: GatewayConfig, finding: Mapping[str, Any], matcher: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    handlers = [{"handler": "adx_gateway", **finding}, _proxy(settings.response_header_timeout_seconds)]
    route: dict[str, Any] = {"handle": handlers, "terminal": True}
    return {"match": [dict(matcher)], **route} if matcher else route


def _paths(prefix: str) -> list[str]:
    bare = prefix.rstrip("/")
    return [bare or "/", f"{bare}/*"]


def _proxy(response_header_timeout_seconds: int) -> dict[str, Any]:
    """Only a connection that could not be made is tried again, whatever the method: nothing was sent by then.

    Everything else, also of a GET, reaches the client and the metrics: an
    analysis must see what a release does.
    """
    return {
        "handler": "reverse_proxy",
        "dynamic_upstreams": {"source": "adx"},
        "load_balancing": {
            "try_duration": f"{_TRY_SECONDS}s",
            "try_interval": f"{_TRY_AGAIN_AFTER_MILLISECONDS}ms",
            "retry_match": [{"method": [_NO_METHOD]}],
        },
        "transport": {
            "protocol": "http",
            "dial_timeout": f"{_DIAL_TIMEOUT_SECONDS}s",
            "response_header_timeout": f"{response_header_timeout_seconds}s",
            "keep_alive": {"idle_timeout": f"{_UPSTREAM_IDLE_SECONDS}s", "max_idle_conns_per_host": 256},
            "compression": False,
            # Not that of HTTP_PROXY: instances are near.
            "network_proxy": {"from": "none"},
        },
    }
