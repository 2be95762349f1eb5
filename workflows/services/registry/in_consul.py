"""Services in Consul: one agent's registrations, healthy instances by blocking queries."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import consul  # type: ignore[import-untyped]  # py-consul ships no types
import msgspec

from workflows.clients.consul import Consul
from workflows.services.registry.checks import GrpcCheck, HttpCheck, TcpCheck, TtlCheck
from workflows.services.registry.errors import RegistrationRefused
from workflows.services.registry.interface import Instances
from workflows.services.registry.metadata import instance_of, metadata_of, weight_of
from workflows.services.registry.models import Instance, ServiceRegistration, check_registration

# Answers one after the other without a wait, and how often after that: a service that changes all the time
# must not become a busy loop (Consul manual, "Blocking Queries", asks for a limit like this).
BURST_ANSWERS = 20
ANSWERS_PER_SECOND = 2.0
SHORTEST_WAIT_SECONDS = 0.1

Json = dict[str, Any]


class ConsulRegistry:
    """A Registry in Consul, through one agent. Raises the errors of ``workflows.clients.consul``."""

    def __init__(self, client: Consul) -> None:
        self._client = client

    async def register(self, registration: ServiceRegistration) -> None:
        """Put the instance in, in the place of an earlier one of its service, or of a dead one of another.

        Raises RegistrationRefused where an instance of another service lives there.
        """
        check_registration(registration)
        arguments = arguments_of(registration)
        await self._make_room(registration)
        await self._client.register(arguments)
        if isinstance(registration.health_check, TtlCheck):
            await self._client.pass_check(_check_id(registration))

    async def renew(self, registration: ServiceRegistration) -> None:
        """Pass the TTL check; an agent that began anew without its data gets the registration again."""
        if isinstance(registration.health_check, TtlCheck):
            is_known = await self._client.pass_check(_check_id(registration))
        else:
            is_known = bool(await self._client.services(f'ID == "{registration.id}"'))
        if not is_known:
            await self.register(registration)

    async def deregister(self, registration: ServiceRegistration) -> None:
        """Take the instance out; fine when it is gone."""
        await self._client.deregister(registration.id)

    async def watch(self, name: str, *, every_seconds: float) -> AsyncGenerator[Instances, None]:
        """Healthy instances in order of their ids; the wait of a query has up to a sixteenth of jitter, by Consul."""
        index, known, bucket = 0, None, _Bucket()
        wait_seconds = max(every_seconds * 16 / 17, SHORTEST_WAIT_SECONDS)
        while True:
            health = await self._client.healthy(name, index=index, wait_seconds=wait_seconds)
            found = instances_of(health.entries)
            # Most answers bring no change of what passes: then the same tuple says so.
            known = known if found == known else found
            yield known
            index = next_index(index, health.index)
            await bucket.take()

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()

    async def _make_room(self, registration: ServiceRegistration) -> None:
        """One port is one process: a second registration of it is a mistake, or what a process that died has left.

        Of the same service it is the latter, though the check may pass: that asks the port, and this process answers.
        """
        first = registration.endpoints[0]
        there = await self._client.services(f'Address == "{first.address}" and Port == {first.port}')
        for other_id, other in there.items():
            if other_id == registration.id:
                continue
            if other["Service"] != registration.name and not await self._is_critical(other_id):
                raise RegistrationRefused(
                    f"{registration.id} cannot be registered at {first}: {other_id} of {other['Service']} is there",
                    next_step="choose another port, or deregister the other one",
                )
            await self._client.deregister(other_id)

    async def _is_critical(self, service_id: str) -> bool:
        checks = await self._client.checks(f'ServiceID == "{service_id}"')
        return any(check["Status"] == "critical" for check in checks.values())


class _Bucket:
    """A token bucket: ``take`` returns at once while there are tokens, else when there is one again."""

    def __init__(self) -> None:
        self._tokens, self._filled_at = float(BURST_ANSWERS), time.monotonic()

    async def take(self) -> None:
        now = time.monotonic()
        self._tokens = min(self._tokens + (now - self._filled_at) * ANSWERS_PER_SECOND, float(BURST_ANSWERS)) - 1
        self._filled_at = now
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / ANSWERS_PER_SECOND)


def next_index(asked: int, answered: int) -> int:
    """What to wait beyond next: 0, to begin anew, when the index went backwards; never less than 1 otherwise."""
    return 0 if answered < asked else max(answered, 1)


def arguments_of(registration: ServiceRegistration) -> Json:
    """The arguments of py-consul's ``agent.service.register``."""
    first = registration.endpoints[0]
    return {
        "name": registration.name,
        "service_id": registration.id,
        "address": first.address,
        "port": first.port,
        "meta": metadata_of(registration),
        "weights": {"Passing": registration.weight, "Warning": 1},
        "check": _check(registration),
        "replace_existing_checks": True,  # so that one of another kind, from an earlier registration, is gone
    }


def instances_of(entries: Sequence[Json]) -> Instances:
    """What ``/v1/health/service/<name>?passing`` says, in order of ids."""
    uses = Counter(entry["Service"]["ID"] for entry in entries)
    found = (_instance(entry, is_alone=uses[entry["Service"]["ID"]] == 1) for entry in entries)
    return tuple(sorted(found, key=lambda one: one.id))


def _instance(entry: Json, *, is_alone: bool) -> Instance:
    service = entry["Service"]
    meta: Mapping[str, str] = service.get("Meta") or {}
    # Consul's own weight counts: operators change it there.
    weight = weight_of((service.get("Weights") or {}).get("Passing", 1))
    found = instance_of(
        # An id is one of its agent only: others call every instance by the service's name.
        instance_id=service["ID"] if is_alone else f"{service['ID']}@{entry['Node']['Node']}",
        name=service["Service"],
        address=service["Address"] or entry["Node"]["Address"],
        port=service["Port"],
        meta=meta,
    )
    return found if found.weight == weight else msgspec.structs.replace(found, weight=weight)


def _check_id(registration: ServiceRegistration) -> str:
    """Another for every kind: under the same id the timer of a TTL check would go on, and fail the new check."""
    return f"service:{registration.id}:{registration.health_check.__struct_config__.tag}"


def _check(registration: ServiceRegistration) -> Json:
    check = registration.health_check
    after = _duration(check.deregister_after_seconds)
    named: Json = {"CheckID": _check_id(registration), "Name": f"{registration.name} is well"}
    if isinstance(check, TtlCheck):
        return named | {**consul.Check.ttl(_duration(check.ttl_seconds)), "DeregisterCriticalServiceAfter": after}
    asked, place = registration.checked, str(registration.checked)
    pace = {"interval": _duration(check.interval_seconds), "timeout": _duration(check.timeout_seconds)}
    match check:
        case HttpCheck():
            made = consul.Check.http(f"http{'s' * check.use_tls}://{place}{check.path}", **pace, deregister=after)
            made["DisableRedirects"] = True  # a redirect could lead the agent to anybody
        case GrpcCheck():
            target = f"{place}/{check.service}" if check.service else place
            made = consul.Check.grpc(target, use_tls=check.use_tls, **pace, deregister=after)
        case TcpCheck():
            host = f"[{asked.address}]" if ":" in asked.address else asked.address  # py-consul sets no brackets
            made = consul.Check.tcp(host, asked.port, **pace, deregister=after)
    return named | dict(made)


def _duration(seconds: float) -> str:
    """As Go reads it."""
    return f"{seconds * 1000:.0f}ms"
