"""One spelling for specs that mean the same, so that equal meaning gives equal digests. Pure.

Lists whose order means nothing are sorted; defaults that depend on another
field are filled in.
"""

from __future__ import annotations

import msgspec

from policies.configuration.flags.spec import FlagSpec, normal_decision
from policies.services.spec import Delivery, Port, ServiceSpec
from policies.tenancy.spec import Network


def normal_flag(flag: FlagSpec) -> FlagSpec:
    """The flag with its lists sorted, but for its rules and shares: their order decides."""
    return normal_decision(flag)


def normal_port(port: Port) -> Port:
    """The port with its target said."""
    return msgspec.structs.replace(port, target_port=target_port(port))


def target_port(port: Port) -> int:
    """The port that the container listens on."""
    return port.port if port.target_port is None else port.target_port


def normal_service(service: ServiceSpec) -> ServiceSpec:
    """The service with its lists sorted and its ports resolved; how long to wait for it is resolved beside it."""
    return msgspec.structs.replace(
        service,
        ports=tuple(sorted(map(normal_port, service.ports), key=lambda port: port.name)),
        dependencies=tuple(sorted(service.dependencies)),
        feature_flags=tuple(sorted(service.feature_flags)),
        writable_paths=tuple(sorted(service.writable_paths)),
        topology_spread=tuple(sorted(service.topology_spread, key=lambda spread: spread.topology_key)),
        serves_api_versions=tuple(sorted(service.serves_api_versions)),
        api_versions={name: tuple(sorted(versions)) for name, versions in service.api_versions.items()},
        delivery=None if service.delivery is None else normal_delivery(service.delivery),
        # Resolved beside the service, once: two places could disagree.
        ready_timeout_seconds=None,
    )


def normal_delivery(delivery: Delivery) -> Delivery:
    """The delivery with the host names of its route sorted; the order of its steps decides."""
    route = delivery.route
    if route is None:
        return delivery
    sorted_route = msgspec.structs.replace(route, hostnames=tuple(sorted(route.hostnames)))
    return msgspec.structs.replace(delivery, route=sorted_route)


def normal_network(network: Network) -> Network:
    """The network with its lists sorted."""
    egress = sorted(network.egress, key=lambda rule: (rule.cidr, rule.port, rule.reason))
    return Network(services=tuple(sorted(network.services)), egress=tuple(egress))
