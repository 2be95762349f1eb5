"""Services in a Kubernetes cluster: the EndpointSlices of one namespace.

The cluster registers pods by itself, by their readiness probes, so there is
nothing to put in or to renew. An EndpointSlice written by hand is refused on
purpose: nobody would check it, and kube-proxy would send requests to it for ever.

An instance is known by the labels that the slice has from its Service
(``app.kubernetes.io/version``, ``adx/release``, ``adx/commit``), and by
annotations ``adx/<key>`` of the slice, with the keys of ``metadata``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from workflows.clients.kubernetes.watching import Watches
from workflows.services.registry.errors import RegistrationRefused
from workflows.services.registry.interface import Instances
from workflows.services.registry.metadata import instance_of
from workflows.services.registry.models import Instance, ServiceRegistration, check_registration

_LABELS = {"app.kubernetes.io/version": "version", "adx/release": "release", "adx/commit": "commit"}
_PREFIX = "adx/"

Json = dict[str, Any]


def by_name_label(name: str) -> str:
    """Chooses the slices of all Services that ADX makes for a service: of its stable address, and of its releases."""
    return f"app.kubernetes.io/name={name}"


def by_service(name: str) -> str:
    """Chooses the slices of one Service, whoever made it."""
    return f"kubernetes.io/service-name={name}"


class EndpointSliceRegistry:
    """A Registry that reads the EndpointSlices of ``namespace``; ``port`` names the port wanted (None: the first).

    Raises the errors of ``workflows.clients.kubernetes.errors``.
    """

    def __init__(
        self,
        watches: Watches,
        namespace: str,
        *,
        port: str | None = None,
        selector: Callable[[str], str] = by_name_label,
    ) -> None:
        self._watches, self._port, self._selector = watches, port, selector
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{quote(namespace, safe='')}/endpointslices"

    async def register(self, registration: ServiceRegistration) -> None:
        """Return if the cluster's own registration says as much. Raises RegistrationRefused where it does not."""
        check_registration(registration)
        if registration.tenants or registration.weight != 1:
            raise RegistrationRefused(
                f"{registration.id} cannot be registered: a cluster keeps no tenants and no weight of a pod",
                next_step="leave them out, or register in Consul",
            )

    async def renew(self, registration: ServiceRegistration) -> None:
        """Nothing: the readiness probe does."""

    async def deregister(self, registration: ServiceRegistration) -> None:
        """Nothing: a pod that ends is taken out by the cluster."""

    async def watch(self, name: str, *, every_seconds: float) -> AsyncGenerator[Instances, None]:
        """Ready instances that are not ending, in order of their ids."""
        known: Instances | None = None
        lists = self._watches.objects(self._path, self._selector(name), every_seconds=every_seconds)
        async with aclosing(lists):
            async for slices in lists:
                found = instances_of(name, slices.values(), port=self._port)
                known = known if known is not None and found == known else found
                yield known

    async def close(self) -> None:
        """End all watches."""
        await self._watches.close()


def instances_of(name: str, slices: Iterable[Json], *, port: str | None = None) -> Instances:
    """The ready endpoints of ``slices``, each once.

    One may stand in several slices (Kubernetes manual, "EndpointSlices"); the
    slice that knows its release counts.
    """
    found: dict[tuple[str, int], Instance] = {}
    for one in sorted(slices, key=lambda item: str(item["metadata"]["name"])):
        for instance in _instances(name, one, port):
            place = (instance.address, instance.port)
            if place not in found or (instance.release and not found[place].release):
                found[place] = instance
    return tuple(sorted(found.values(), key=lambda instance: instance.id))


def _instances(name: str, one: Json, port: str | None) -> Iterator[Instance]:
    number = _port_number(one, port)
    if number is None:
        return
    meta = _meta(one["metadata"])
    for endpoint in one.get("endpoints") or ():
        addresses = endpoint.get("addresses") or ()
        if not addresses or not _is_ready(endpoint.get("conditions") or {}):
            continue
        # Several addresses of an endpoint are interchangeable: the first is to be taken.
        target = endpoint.get("targetRef") or {}
        instance_id = str(target.get("name") or f"{addresses[0]}:{number}")
        yield instance_of(instance_id=instance_id, name=name, address=addresses[0], port=number, meta=meta)


def _is_ready(conditions: Json) -> bool:
    """Unknown means ready, and not ending (API reference, EndpointConditions)."""
    return conditions.get("ready") is not False and not conditions.get("terminating")


def _port_number(one: Json, wanted: str | None) -> int | None:
    for port in one.get("ports") or ():
        if port.get("port") and (wanted is None or port.get("name") == wanted):
            return int(port["port"])
    return None


def _meta(metadata: Json) -> dict[str, str]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    written = {key.removeprefix(_PREFIX): value for key, value in annotations.items() if key.startswith(_PREFIX)}
    return written | {key: labels[label] for label, key in _LABELS.items() if label in labels}
