"""What is registered, and what is found. Pure.

::

    ServiceRegistration   one instance of a service, as it says itself
    Instance              one healthy instance, as a registry gives it out
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import msgspec

from policies.services.spec import Autoscaling, Resources
from workflows.services.registry import checks
from workflows.services.registry.checks import HealthCheck, TtlCheck
from workflows.services.registry.errors import RegistrationRefused

LARGEST_WEIGHT = 65_535  # Consul's own
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(_LABEL)
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LISTED = re.compile(r"[^,/\s][^,/]*")


class Endpoint(msgspec.Struct, frozen=True):
    """One port of an instance; ``address`` is an IP address or a host name."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class OfferedWorkflow(msgspec.Struct, frozen=True):
    """A Temporal workflow type that the service runs, and its task queue. An empty ``name``: activities only."""

    task_queue: str
    name: str = ""


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the service was deployed with, in the words of its declaration.

    ``scaling`` is a number of replicas, or how it is chosen. ``dependencies`` are names of services.
    """

    scaling: Autoscaling | int | None = None
    resources: Resources | None = None
    dependencies: tuple[str, ...] = ()
    feature_flags: tuple[str, ...] = ()


class ServiceRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of the service ``name``. The first of ``endpoints`` is the one that callers get.

    ``release`` is the id of what was deployed, ``commit`` where it was declared.
    ``tenants`` are those that the instance serves (empty: all). It gets
    ``weight`` shares of the requests. ``instance_id`` is derived where empty;
    the same place and release have the same one..
    """

    name: str
    version: str
    endpoints: tuple[Endpoint, ...]
    health_check: HealthCheck
    workflows: tuple[OfferedWorkflow, ...] = ()
    config: ServiceConfig = ServiceConfig()
    release: str = ""
    commit: str = ""
    tenants: tuple[str, ...] = ()
    weight: int = 1
    instance_id: str = ""

    @property
    def id(self) -> str:
        """What the instance is called in the registry."""
        if self.instance_id or not self.endpoints:
            return self.instance_id
        place = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.endpoints[0].address}-{self.endpoints[0].port}").strip("-")
        return "-".join(part for part in (self.name, self.release, place) if part)

    @property
    def checked(self) -> Endpoint:
        """The endpoint that the check asks: the one it names, or the first. Raises KeyError."""
        wanted = "" if isinstance(self.health_check, TtlCheck) else self.health_check.endpoint
        return {endpoint.name: endpoint for endpoint in self.endpoints}[wanted] if wanted else self.endpoints[0]


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One healthy instance. ``endpoints`` has all of its ports, ``address`` and ``port`` are the first one's.

    ``tenants`` empty: it serves all of them.
    """

    id: str
    name: str
    address: str
    port: int
    version: str = ""
    release: str = ""
    commit: str = ""
    tenants: tuple[str, ...] = ()
    weight: int = 1
    workflows: tuple[OfferedWorkflow, ...] = ()
    config: ServiceConfig = ServiceConfig()
    endpoints: tuple[Endpoint, ...] = ()

    def serves(self, tenant: str | None) -> bool:
        """Whether requests of ``tenant`` may go there; those of no tenant never go to what some tenants have alone."""
        return not self.tenants or tenant in self.tenants

    def task_queue_of(self, workflow: str) -> str | None:
        """The task queue where the instance takes ``workflow``; None where it does not."""
        return next((offer.task_queue for offer in self.workflows if offer.name == workflow), None)


def is_service_name(name: str) -> bool:
    """Whether ``name`` is one of DNS: small letters, digits and hyphens, 63 at most."""
    return bool(_NAME.fullmatch(name))


def check_registration(registration: ServiceRegistration) -> None:
    """Return if ``registration`` can be made. Raises RegistrationRefused with everything that is wrong."""
    found = list(_problems(registration))
    if found:
        raise RegistrationRefused(
            f"{registration.name!r} cannot be registered: {'; '.join(found)}", next_step="correct the registration"
        )


def _problems(registration: ServiceRegistration) -> Iterator[str]:
    if not is_service_name(registration.name):
        yield "the name is not one of DNS (small letters, digits and hyphens, 63 at most)"
    if not registration.endpoints:
        yield "it has no endpoint"
        return
    if not _ID.fullmatch(registration.id):
        yield f"the id {registration.id!r} is none (letters, digits, dot, hyphen, underscore; 128 at most)"
    if not 1 <= registration.weight <= LARGEST_WEIGHT:
        yield f"the weight is {registration.weight}: 1 to {LARGEST_WEIGHT} are possible"
    for word, text in (("version", registration.version), ("release", registration.release)):
        if not text.isprintable() or (word == "version" and not text):
            yield f"the {word} {text!r} is none"
    yield from _endpoint_problems(registration.endpoints)
    yield from checks.problems(registration.health_check)
    yield from _check_place_problems(registration)
    yield from _list_problems(registration)


def _endpoint_problems(endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
    seen: dict[tuple[str, int], str] = {}
    names: set[str] = set()
    for endpoint in endpoints:
        if not _NAME.fullmatch(endpoint.name):
            yield f"the endpoint's name {endpoint.name!r} is none (small letters, digits and hyphens)"
        if endpoint.name in names:
            yield f"two endpoints are called {endpoint.name!r}"
        if not 1 <= endpoint.port <= 65_535:
            yield f"the port {endpoint.port} of endpoint {endpoint.name!r} is none"
        if not _is_address(endpoint.address):
            yield f"the address {endpoint.address!r} of endpoint {endpoint.name!r} cannot be called"
        other = seen.setdefault((endpoint.address, endpoint.port), endpoint.name)
        if other != endpoint.name:
            yield f"the endpoints {other!r} and {endpoint.name!r} have the same port {endpoint.port}"
        names.add(endpoint.name)


def _is_address(text: str) -> bool:
    """An IP address that somebody can have, or a host name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and bool(_HOST.fullmatch(text)) and not text.replace(".", "").isdigit()
    # Link-local are metadata services, which hand out credentials to whoever asks; a check asks.
    return not (address.is_unspecified or address.is_multicast or address.is_link_local)


def _check_place_problems(registration: ServiceRegistration) -> Iterator[str]:
    try:
        _ = registration.checked
    except KeyError as missing:
        yield f"the health check asks an endpoint {missing} that there is not"


def _list_problems(registration: ServiceRegistration) -> Iterator[str]:
    """What is written as a list with commas must not hold any."""
    lists = {
        "tenant": registration.tenants,
        "task queue": tuple(offer.task_queue for offer in registration.workflows),
        "workflow": tuple(offer.name for offer in registration.workflows if offer.name),
        "dependency": registration.config.dependencies,
        "feature flag": registration.config.feature_flags,
    }
    for word, values in lists.items():
        for value in values:
            if not _LISTED.fullmatch(value) or not value.isprintable():
                yield f"the {word} {value!r} holds a comma or a slash, or is empty"
