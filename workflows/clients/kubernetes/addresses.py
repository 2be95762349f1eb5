"""Which addresses a cluster may have. A metadata service hands out credentials to whoever asks, so it never is one."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from workflows.clients.kubernetes.errors import ClusterUnreachable, KubeconfigRefused

# Metadata services outside of the link-local ranges: AWS by IPv6, Alibaba Cloud, Oracle's older one.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))


async def check_server(address: str) -> None:
    """Return if ``address`` may be asked. Raises KubeconfigRefused, or ClusterUnreachable for an unknown name."""
    parts = urlsplit(address)
    host = parts.hostname
    if parts.scheme not in ("https", "http") or not host:
        raise KubeconfigRefused(f"the cluster's address {address[:80]!r} is not an https address")
    found = await _resolve(host)
    if any(is_metadata_service(ip) for ip in found):
        raise KubeconfigRefused(
            f"the cluster's address {host!r} is that of a metadata service or link-local",
            next_step="find out who changed the kubeconfig",
        )
    if parts.scheme == "http" and not all(ipaddress.ip_address(ip).is_loopback for ip in found):
        raise KubeconfigRefused(f"the cluster's address {address[:80]!r} is not encrypted", next_step="use https")


def is_metadata_service(ip: str) -> bool:
    """Whether an address is, or could be, a metadata service. IPv4 inside IPv6 is looked through."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any(one.is_link_local or one in _METADATA for one in (address, inner) if one is not None)


async def _resolve(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ClusterUnreachable(f"the cluster's name {host[:80]!r} is not known: {error}") from error
    return [str(sockaddr[0]) for *_, sockaddr in found]
