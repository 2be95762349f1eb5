"""The one way to call a server over HTTP that a setting or a declaration names: it, and no other."""

from __future__ import annotations

import ssl

import httpx

_USUAL = httpx.Limits(max_connections=100, max_keepalive_connections=20)  # httpx' own
_UNBOUNDED = httpx.Limits(max_connections=None, max_keepalive_connections=None)


def direct_client(
    *,
    timeout_seconds: float,
    base_url: str = "",
    verify: ssl.SSLContext | bool = True,
    transport: httpx.AsyncBaseTransport | None = None,
    is_unbounded: bool = False,
) -> httpx.AsyncClient:
    """A client without redirects, which would carry requests elsewhere, and without a proxy of the worker's.

    ``timeout_seconds`` holds for connecting and for each wait for data. ``is_unbounded``: as many connections as are
    asked for, for those who wait long on each.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_seconds,
        verify=verify,
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        limits=_UNBOUNDED if is_unbounded else _USUAL,
    )
