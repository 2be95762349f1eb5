"""Addresses that no declaration may open or ask: what is the cloud's, the node's or everybody's. Pure, no look-ups."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Names under which cloud metadata services answer; their addresses are covered below.
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})


@dataclass(frozen=True)
class _Range:
    """A network as plain numbers: tens of thousands of rules are compared with each of these."""

    network: Network
    first: int
    last: int
    reason: str

    def touches(self, network: Network) -> bool:
        """Whether any address is in both."""
        return self.first <= int(network.broadcast_address) and int(network.network_address) <= self.last


def _ranges(version: int, networks: Mapping[str, str]) -> tuple[_Range, ...]:
    parsed = ((ipaddress.ip_network(network), reason) for network, reason in networks.items())
    return tuple(
        _Range(network, int(network.network_address), int(network.broadcast_address), reason)
        for network, reason in parsed
        if network.version == version
    )


_FORBIDDEN_NETWORKS = {
    "169.254.0.0/16": "link-local, where cloud metadata services answer",
    "100.100.100.200/32": "a cloud metadata service",
    "168.63.129.16/32": "a cloud metadata service",
    "192.0.0.192/32": "a cloud metadata service",
    "fd00:ec2::/32": "a cloud metadata service",
    "fe80::/10": "link-local",
    "127.0.0.0/8": "the node itself (loopback)",
    "::1/128": "the node itself (loopback)",
    "0.0.0.0/8": "the node itself",
    "::/128": "the node itself",
    "224.0.0.0/4": "multicast",
    "ff00::/8": "multicast",
    "::ffff:0:0/96": "an IPv4 address in disguise",
    "64:ff9b::/96": "an IPv4 address in disguise",
}
_PRIVATE_NETWORKS = dict.fromkeys(("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"), "")
_FORBIDDEN = {version: _ranges(version, _FORBIDDEN_NETWORKS) for version in (4, 6)}
_PRIVATE = {version: _ranges(version, _PRIVATE_NETWORKS) for version in (4, 6)}
# Broader than this a rule no longer names a destination: it opens a network.
_SHORTEST_PREFIX = {4: 8, 6: 32}
_SHORTEST_PRIVATE_PREFIX = {4: 20, 6: 64}


def why_network_is_refused(cidr: str) -> str | None:
    """Why a tenant may not be let out to ``cidr``; None when it may."""
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError:
        return _why_not_a_network(cidr)
    for forbidden in _FORBIDDEN[network.version]:
        if forbidden.touches(network):
            return f"it covers {forbidden.network}: {forbidden.reason}"
    is_private = any(private.touches(network) for private in _PRIVATE[network.version])
    shortest = (_SHORTEST_PRIVATE_PREFIX if is_private else _SHORTEST_PREFIX)[network.version]
    if network.prefixlen < shortest:
        whose = "private network, which may be the whole cluster" if is_private else "network"
        return f"it opens a /{network.prefixlen} of a {whose}; /{shortest} is the widest allowed there"
    return None


def why_host_is_refused(host: str) -> str | None:
    """Why a check may not ask ``host`` (a name or an address in any notation); None when it may."""
    name = host.rstrip(".").lower()
    if name in _METADATA_HOSTS:
        return "it is a cloud metadata service"
    address = _address(name)
    if address is None:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # The node itself may be asked: that is where a local stack answers.
    for forbidden in _FORBIDDEN[address.version]:
        if address in forbidden.network and not address.is_loopback:
            return f"it is {forbidden.reason}"
    return None


def _why_not_a_network(cidr: str) -> str:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return "it is not a network in CIDR notation"
    return f"it is an address inside {network}, not a network"


def _address(host: str) -> Address | None:
    """The address that ``host`` spells, also as resolvers read it (decimal, octal, hexadecimal, short)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None
