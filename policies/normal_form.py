"""One spelling for specs that mean the same, so that equal meaning gives equal digests. Pure.

Lists whose order means nothing are sorted; defaults that depend on another
field are filled in.
"""

from __future__ import annotations

import msgspec

from policies.configuration.flags.spec import FlagSpec, normal_decision
from policies.services.spec import Port, ServiceSpec
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
        # Resolved beside the service, once: two places could disagree.
        ready_timeout_seconds=None,
    )


def normal_network(network: Network) -> Network:
    """The network with its lists sorted."""
    egress = sorted(network.egress, key=lambda rule: (rule.cidr, rule.port, rule.reason))
    return Network(services=tuple(sorted(network.services)), egress=tuple(egress))
