"""Network policies as single ways: from whom, or to where, and on which port. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.importing.model import Json

_SERVICE_LABEL = "app.kubernetes.io/name"
_OWN_PODS: Json = {"podSelector": {}}


@dataclass(frozen=True, slots=True)
class Way:
    """One way that a policy opens. ``service`` is the platform's, ``cidr`` a network, ``port`` TCP; 0 for all ports.

    ``is_of_adx``: every tenant has it anyway (its own pods, name resolution).
    """

    text: str
    is_way_out: bool
    service: str = ""
    cidr: str = ""
    port: int = 0
    has_exceptions: bool = False
    is_of_adx: bool = False


def ways_of(policy: Json) -> Iterator[Way]:
    """Every way that ``policy`` opens; one that is not for all pods is one way as a whole, which nobody can declare."""
    spec = policy["spec"]
    if spec.get("podSelector"):
        yield Way("spec.podSelector", is_way_out=True)
        return
    for field, peers in (("egress", "to"), ("ingress", "from")):
        for number, rule in enumerate(spec.get(field) or ()):
            for at, peer in enumerate(rule.get(peers) or [{}]):
                for port in rule.get("ports") or [{}]:
                    yield _way(f"spec.{field}[{number}].{peers}[{at}]", field == "egress", peer, port)


def _way(place: str, is_way_out: bool, peer: Json, port: Json) -> Way:
    protocol, number = port.get("protocol", "TCP"), port.get("port", 0)
    is_tcp = protocol == "TCP" and isinstance(number, int) and number > 0 and "endPort" not in port
    block = peer.get("ipBlock") or {}
    labels = (peer.get("podSelector") or {}).get("matchLabels") or {}
    shown = f"{place} {protocol}/{number}" if number else place
    is_dns = number == 53 and peer.get("namespaceSelector") is not None
    service = labels.get(_SERVICE_LABEL, "") if peer.get("namespaceSelector") is not None else ""
    return Way(
        text=shown,
        is_way_out=is_way_out,
        service=service,
        cidr=str(block.get("cidr", "")),
        port=int(number) if is_tcp else 0,
        has_exceptions=bool(block.get("except")),
        is_of_adx=peer == _OWN_PODS or is_dns,
    )
