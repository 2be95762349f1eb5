"""Where services are registered and found: Consul, or a Kubernetes cluster's EndpointSlices.

::

    models, checks, metadata     what is registered and found; pure
    interface                    what a registry is
    in_consul, in_endpoint_slices
    keeping                      an instance that stays registered
    discovery, watching, balancing
"""

from __future__ import annotations

from workflows.services.registry.checks import GrpcCheck, HealthCheck, HttpCheck, TcpCheck, TtlCheck
from workflows.services.registry.discovery import Discovery, Picker
from workflows.services.registry.errors import NoHealthyServices, RegistrationRefused
from workflows.services.registry.in_consul import ConsulRegistry
from workflows.services.registry.in_endpoint_slices import EndpointSliceRegistry
from workflows.services.registry.interface import Registry
from workflows.services.registry.keeping import keep_alive, registered
from workflows.services.registry.models import (
    Endpoint,
    Instance,
    OfferedWorkflow,
    ServiceConfig,
    ServiceRegistration,
)
from workflows.services.registry.watching import Times

__all__ = [
    "ConsulRegistry",
    "Discovery",
    "Endpoint",
    "EndpointSliceRegistry",
    "GrpcCheck",
    "HealthCheck",
    "HttpCheck",
    "Instance",
    "NoHealthyServices",
    "OfferedWorkflow",
    "Picker",
    "RegistrationRefused",
    "Registry",
    "ServiceConfig",
    "ServiceRegistration",
    "TcpCheck",
    "Times",
    "TtlCheck",
    "keep_alive",
    "registered",
]
