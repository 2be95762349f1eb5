"""An instance as labels: what a registry keeps of it beside its address. Pure.

Lists have commas. A value is at most 512
characters (Consul's limit): a longer list goes on under ``key-2``, ``key-3``.

::

    version=1.4.2  release=9f2c01ab  commit=…  tenants=acme,globex  weight=3
    task_queues=cart,cart-slow  workflows=cart/Checkout,cart-slow/Export
    scaling=3  resources={"requests":…}  dependencies=…  feature_flags=…  endpoints=http/10.0.0.7/8080,…
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from policies.services.spec import Autoscaling, Resources
from workflows.services.registry.errors import RegistrationRefused
from workflows.services.registry.models import (
    LARGEST_WEIGHT,
    Endpoint,
    Instance,
    OfferedWorkflow,
    ServiceConfig,
    ServiceRegistration,
)

LONGEST_VALUE_CHARACTERS = 512
MOST_KEYS = 64  # Consul's own


def metadata_of(registration: ServiceRegistration) -> dict[str, str]:
    """The labels of ``registration``, without empty ones. Raises RegistrationRefused where they do not fit."""
    config, offers = registration.config, registration.workflows
    lists = {
        "tenants": registration.tenants,
        "task_queues": dict.fromkeys(offer.task_queue for offer in offers),
        "workflows": [f"{offer.task_queue}/{offer.name}" for offer in offers if offer.name],
        "dependencies": config.dependencies,
        "feature_flags": config.feature_flags,
        "endpoints": [f"{one.name}/{one.address}/{one.port}" for one in registration.endpoints],
    }
    found = {
        "version": registration.version,
        "release": registration.release,
        "commit": registration.commit,
        "weight": str(registration.weight),
        "scaling": "" if config.scaling is None else msgspec.json.encode(config.scaling).decode(),
        "resources": "" if config.resources is None else msgspec.json.encode(config.resources).decode(),
    }
    for key, values in lists.items():
        found |= _split(key, values)
    found = {key: value for key, value in found.items() if value}
    too_long = sorted(key for key, value in found.items() if len(value) > LONGEST_VALUE_CHARACTERS)
    if too_long or len(found) > MOST_KEYS:
        what = f"{', '.join(too_long)} too long" if too_long else "more lists than fit"
        raise RegistrationRefused(
            f"{registration.name!r} cannot be registered: {what} (512 characters a value, 64 values)",
            next_step="shorten it",
        )
    return found


def instance_of(*, instance_id: str, name: str, address: str, port: int, meta: Mapping[str, str]) -> Instance:
    """The instance that ``meta`` describes. What others have written there and cannot be read is left out."""
    queues = [OfferedWorkflow(queue) for queue in _joined("task_queues", meta)]
    offers = [OfferedWorkflow(*text.split("/", 1)) for text in _joined("workflows", meta) if "/" in text]
    named = {offer.task_queue for offer in offers}
    return Instance(
        id=instance_id,
        name=name,
        address=address,
        port=port,
        version=meta.get("version", ""),
        release=meta.get("release", ""),
        commit=meta.get("commit", ""),
        tenants=tuple(_joined("tenants", meta)),
        weight=weight_of(meta.get("weight")),
        workflows=(*offers, *(queue for queue in queues if queue.task_queue not in named)),
        config=_config(meta),
        endpoints=tuple(_endpoints(meta)) or (Endpoint("", address, port),),
    )


def weight_of(value: object) -> int:
    """A weight that can be counted with, whatever is written there."""
    try:
        return min(max(int(str(value)), 1), LARGEST_WEIGHT)
    except ValueError:
        return 1


def _split(key: str, values: Iterable[str]) -> dict[str, str]:
    """The list under ``key``, and under ``key-2`` and on what does not fit there."""
    parts: list[str] = []
    for value in values:
        longer = f"{parts[-1]},{value}" if parts else value
        if parts and len(longer) <= LONGEST_VALUE_CHARACTERS:
            parts[-1] = longer
        else:
            parts.append(value)
    return {key if number == 1 else f"{key}-{number}": part for number, part in enumerate(parts, 1)}


def _joined(key: str, meta: Mapping[str, str]) -> Iterator[str]:
    """What ``_split`` has split."""
    number, part = 1, meta.get(key, "")
    while part:
        yield from (value for value in part.split(",") if value)
        number += 1
        part = meta.get(f"{key}-{number}", "")


def _endpoints(meta: Mapping[str, str]) -> Iterator[Endpoint]:
    for text in _joined("endpoints", meta):
        name, _, place = text.partition("/")
        address, _, port = place.rpartition("/")
        if address and port.isdecimal():
            yield Endpoint(name, address, int(port))


def _config(meta: Mapping[str, str]) -> ServiceConfig:
    return ServiceConfig(
        scaling=_decoded(meta.get("scaling"), Autoscaling | int),
        resources=_decoded(meta.get("resources"), Resources),
        dependencies=tuple(_joined("dependencies", meta)),
        feature_flags=tuple(_joined("feature_flags", meta)),
    )


def _decoded(text: str | None, kind: Any) -> Any:
    """Of another version of this program, perhaps: what is not understood is not known."""
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.MsgspecError:
        return None
