"""A service as one environment runs it: ``environments/<env>/services.yaml``."""

from __future__ import annotations

from msgspec import field

from policies.configuration.spec import Scalar, ValueSchema
from policies.spec import Spec


class Port(Spec):
    """``port`` is what callers dial, ``target_port`` what the container listens on (default: the same)."""

    name: str
    port: int
    target_port: int | None = None


class ProbeAction(Spec):
    """How a probe asks; exactly one of ``http_path``, ``grpc`` and ``tcp``. ``port`` names a port of the service."""

    port: str
    http_path: str | None = None
    http_headers: dict[str, str] = field(default_factory=dict)
    grpc: bool = False
    tcp: bool = False
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3


class Probes(Spec):
    """The container's probes, as Kubernetes names them."""

    readiness: ProbeAction | None = None
    liveness: ProbeAction | None = None
    startup: ProbeAction | None = None


class ResourceAmounts(Spec):
    """Kubernetes quantities, for example ``100m`` and ``64Mi``."""

    cpu: str
    memory: str


class Resources(Spec):
    """What a container is promised, and what it may not exceed."""

    requests: ResourceAmounts
    limits: ResourceAmounts


class Autoscaling(Spec):
    """Replicas follow the mean CPU use, in per cent of the request."""

    min_replicas: int
    max_replicas: int
    target_cpu_percent: int = 70


class ConfigurationNeed(Spec):
    """One configuration key that the service reads; ``schema`` holds in every environment and for every tenant."""

    key: str
    description: str = ""
    schema: ValueSchema | None = None
    default: Scalar | None = None
    secret: bool = False
    required: bool = True


class ServiceSpec(Spec):
    """One service. Exactly one of ``replicas`` and ``autoscaling`` is set.

    ``version`` is the tag of the image, ``semantic_version`` what of it is
    compared, where the tag is not that itself (see
    ``policies.services.versions``). ``dependency_versions`` says, by service it
    depends on, which range of versions it works with; ``schema_versions`` says,
    by database, which version of its schema this version of the service is
    written for. ``allow_downgrade`` says why the version is lower than before.
    """

    name: str
    description: str
    owner: str
    image: str
    version: str
    resources: Resources
    replicas: int | None = None
    autoscaling: Autoscaling | None = None
    ports: tuple[Port, ...] = ()
    probes: Probes = Probes()
    dependencies: tuple[str, ...] = ()
    feature_flags: tuple[str, ...] = ()
    configuration: tuple[ConfigurationNeed, ...] | None = None
    env: dict[str, str] = field(default_factory=dict)
    writable_paths: tuple[str, ...] = ()
    min_available: int | None = None
    ready_timeout_seconds: int | None = None
    schema_versions: dict[str, int] = field(default_factory=dict)
    semantic_version: str | None = None
    dependency_versions: dict[str, str] = field(default_factory=dict)
    allow_downgrade: str | None = None


class ServicesSpec(Spec):
    """All services of one environment."""

    environment: str
    services: tuple[ServiceSpec, ...]
