"""A service as one environment runs it: ``environments/<env>/services.yaml``."""

from __future__ import annotations

from typing import Literal

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
    """Replicas follow the mean use of CPU, and of memory where a target is set, in per cent of the requests.

    Of the two the one counts that wants more replicas. Fewer are run only once
    fewer sufficed for ``scale_down_stabilization_seconds`` (None: Kubernetes' own 300).
    """

    min_replicas: int
    max_replicas: int
    target_cpu_percent: int = 70
    target_memory_percent: int | None = None
    scale_down_stabilization_seconds: int | None = None


class TopologySpread(Spec):
    """How evenly pods lie over the values of a node label: their numbers differ by ``max_skew`` at most."""

    topology_key: str
    max_skew: int = 1
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "ScheduleAnyway"


class ConfigurationNeed(Spec):
    """One configuration key that the service reads; ``schema`` holds in every environment and for every tenant."""

    key: str
    description: str = ""
    schema: ValueSchema | None = None
    default: Scalar | None = None
    secret: bool = False
    required: bool = True


class DeliveryStep(Spec):
    """The new release gets ``weight_percent`` of the requests for ``bake_seconds``, and is judged then."""

    weight_percent: int
    bake_seconds: int


class SuccessRateRule(Spec):
    """Bounds of the share of requests that succeed, in per cent; at least one of the two is set.

    ``worse_by_percent`` are percentage points below the old release.
    """

    worse_by_percent: float | None = None
    at_least_percent: float | None = None


class LatencyRule(Spec):
    """Bounds of one percentile of the latency; at least one of the two is set. ``worse_by_percent`` of the old one."""

    percentile: float
    worse_by_percent: float | None = None
    at_most_milliseconds: float | None = None


class QueryRule(Spec):
    """Bounds of what a PromQL ``query`` answers for a release, ``$release`` being its id; at least one is set."""

    name: str
    query: str
    at_most: float | None = None
    at_least: float | None = None
    worse_by_percent: float | None = None


class AnalysisRules(Spec):
    """What the new release is judged by, every ``interval_seconds``, once both have had ``minimum_requests``."""

    interval_seconds: int = 15
    minimum_requests: int = 100
    success_rate: SuccessRateRule | None = None
    latency: tuple[LatencyRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()


class Stickiness(Spec):
    """What keeps a caller with the release that answered first: a cookie of this name, or a request header; one."""

    cookie: str | None = None
    header: str | None = None


class Testers(Spec):
    """Requests whose ``header`` has ``value`` go to the new release, whatever its weight."""

    __test__ = False  # no class of tests

    header: str
    value: str


class Route(Spec):
    """The Gateway that an HTTPRoute belongs to, and what of its traffic is the service's.

    ``port`` names a port of the service (None: that of its readiness probe);
    without ``hostnames`` the route is for all that the Gateway listens for.
    """

    gateway_name: str
    gateway_namespace: str
    hostnames: tuple[str, ...] = ()
    port: str | None = None


class Delivery(Spec):
    """How a new release takes over from the old one, instead of pod by pod.

    ``steps`` are those of a canary, in order; 100 % is its last one, unsaid.
    ``bake_seconds`` is how long it is judged at 100 %; after that the old
    release gets no new requests for ``drain_seconds`` before it is removed, and
    is kept ``keep_blue_seconds`` for an instant way back. ``mirror_percent`` of
    the requests are copied to the new release before the first step.
    """

    strategy: Literal["blue-green", "canary"]
    gateway: Literal["gateway-api", "selector", "caddy"]
    steps: tuple[DeliveryStep, ...] = ()
    bake_seconds: int = 60
    keep_blue_seconds: int = 600
    drain_seconds: int = 15
    analysis: AnalysisRules | None = None
    stickiness: Stickiness | None = None
    testers: Testers | None = None
    mirror_percent: int = 0
    route: Route | None = None


class ServiceSpec(Spec):
    """One service. Exactly one of ``replicas`` and ``autoscaling`` is set.

    ``version`` is the tag of the image, ``semantic_version`` what of it is
    compared, where the tag is not that itself (see
    ``policies.services.versions``). ``dependency_versions`` says, by service it
    depends on, which range of versions it works with; ``schema_versions`` says,
    by database, which version of its schema this version of the service is
    written for. ``allow_downgrade`` says why the version is lower than before.

    ``image_digest`` pins the image behind the tag. ``api_versions`` says, by
    service it depends on, which of its ``serves_api_versions`` it calls. At most
    one of ``min_available`` and ``max_unavailable`` is set.
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
    image_digest: str | None = None
    topology_spread: tuple[TopologySpread, ...] = ()
    max_unavailable: int | None = None
    serves_api_versions: tuple[str, ...] = ()
    api_versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    delivery: Delivery | None = None


class ServicesSpec(Spec):
    """All services of one environment."""

    environment: str
    services: tuple[ServiceSpec, ...]
