"""How a registry finds out whether an instance is well. Durations in seconds.

A check that fails makes its instance unhealthy at once; what stays critical
for ``deregister_after_seconds`` is taken out altogether.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

SHORTEST_INTERVAL_SECONDS = 1.0
# Consul's own limit: less is taken for a minute (Consul manual, "Define health checks").
SHORTEST_DEREGISTER_SECONDS = 60.0
DEREGISTER_AFTER_SECONDS = 600.0


class _Asking(msgspec.Struct, frozen=True, kw_only=True):
    """``endpoint`` names the endpoint that is asked; empty: the first one."""

    endpoint: str = ""
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    deregister_after_seconds: float = DEREGISTER_AFTER_SECONDS


class HttpCheck(_Asking, frozen=True, kw_only=True, tag="http"):
    """Passes while ``GET path`` answers with a status of 2xx; 429 is a warning, which counts as unhealthy."""

    path: str = "/healthz"
    use_tls: bool = False


class GrpcCheck(_Asking, frozen=True, kw_only=True, tag="grpc"):
    """Passes while gRPC's health protocol says SERVING for ``service`` (empty: the whole server)."""

    service: str = ""
    use_tls: bool = False


class TcpCheck(_Asking, frozen=True, kw_only=True, tag="tcp"):
    """Passes while the endpoint accepts connections."""


class TtlCheck(msgspec.Struct, frozen=True, kw_only=True, tag="ttl"):
    """Passes while the instance itself says so, at least every ``ttl_seconds``."""

    ttl_seconds: float = 15.0
    deregister_after_seconds: float = DEREGISTER_AFTER_SECONDS


HealthCheck = HttpCheck | GrpcCheck | TcpCheck | TtlCheck


def problems(check: HealthCheck) -> Iterator[str]:
    """What is wrong with ``check``, each as a sentence without a full stop."""
    if check.deregister_after_seconds < SHORTEST_DEREGISTER_SECONDS:
        yield f"deregister_after_seconds is {check.deregister_after_seconds:g}: at least 60 are asked for"
    if isinstance(check, TtlCheck):
        if check.ttl_seconds < SHORTEST_INTERVAL_SECONDS:
            yield f"ttl_seconds is {check.ttl_seconds:g}: at least 1 is asked for"
        return
    if check.interval_seconds < SHORTEST_INTERVAL_SECONDS:
        yield f"interval_seconds is {check.interval_seconds:g}: at least 1 is asked for"
    if not 0 < check.timeout_seconds <= check.interval_seconds:
        yield f"timeout_seconds is {check.timeout_seconds:g}: more than 0 and at most interval_seconds are asked for"
    if isinstance(check, HttpCheck):
        yield from _path_problems(check.path)
    if isinstance(check, GrpcCheck) and ("/" in check.service or not check.service.isprintable()):
        yield f"the gRPC service {check.service!r} is no name"


def _path_problems(path: str) -> Iterator[str]:
    """The registry must ask the instance itself: a path with a host in it would make it ask anybody."""
    if path.startswith("//") or "://" in path.partition("?")[0]:
        yield f"the health path {path!r} holds a host: the endpoint alone says where it is asked"
    elif not path.startswith("/"):
        yield f"the health path {path!r} does not begin with a slash"
    elif not (path.isascii() and path.isprintable()) or " " in path or "\\" in path or "#" in path:
        yield f"the health path {path!r} holds characters that no path has: write them percent-encoded"
