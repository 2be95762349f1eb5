"""Who carries out a split: our gateway through its admin API, or the cluster through a Service or an HTTPRoute.

The objects in the cluster are those that the stack has, with other weights:
what is applied next sets them anew from its own desired state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from infra.components.services import routing_manifests
from policies.desired_state import DesiredState, ServiceInputs, service_unit_id
from policies.services.releases import at_weight, delivery_of, in_transition, split_of, workload_name
from policies.services.routing import Split, Sticky, all_on
from workflows.clients.caddy import Gateways, GatewaysDisagree, SplitConflict
from workflows.runtime import Runtime
from workflows.services.models import ReleaseChange
from workflows.services.release_plan import inputs_of
from workflows.services.settings import gateway_urls

ATTEMPTS = 3


class Traffic:
    """Moves requests for a rollout. ``claim`` returns if it still may; it is asked right before anything is told.

    Every call may be repeated. Raises StaleFencingToken, AdxConnectionError, AdxTimeoutError, AdxValidationError.
    """

    def __init__(self, runtime: Runtime, state: DesiredState, claim: Callable[[], Awaitable[None]]) -> None:
        self._runtime, self._state, self._claim = runtime, state, claim

    async def give(self, change: ReleaseChange, weight_percent: int, *, is_mirrored: bool = False) -> None:
        """Give green ``weight_percent`` of the requests, blue the rest; with ``is_mirrored`` green gets copies, too."""
        if change.gateway == "caddy":
            split = _split(self._state, change, weight_percent, is_mirrored=is_mirrored)
            await self._tell_gateways(change.registered_name, split)
        elif change.service in in_transition(self._state):
            await self._tell_cluster(change.service, weight_percent, is_mirrored=is_mirrored)

    async def give_back(self, change: ReleaseChange, *, is_blue_gone: bool) -> None:
        """Give blue all requests; with ``is_blue_gone`` it was started again, and is what takes over in the state.

        Of several gateways all that can be reached are told, whatever has become of the others, before this raises.
        """
        if change.gateway == "caddy":
            split = _all_on(inputs_of(self._state, change.service), change.blue) if change.blue else None
            await self._claim()
            async with Gateways(gateway_urls(self._runtime.environ)) as gateways:
                await gateways.put_everywhere(
                    change.registered_name, split.to_gateway_json() if split is not None else None
                )
        elif change.service in in_transition(self._state):
            await self._tell_cluster(change.service, 100 if is_blue_gone else 0, is_mirrored=False)

    async def _tell_gateways(self, name: str, split: Split | None) -> None:
        """Only where nobody has changed the split since it was read: a worker that was paused here comes too late."""
        async with Gateways(gateway_urls(self._runtime.environ)) as gateways:
            for attempt in range(1, ATTEMPTS + 1):
                tag = await _tag(gateways, name)
                await self._claim()
                try:
                    if split is None:
                        await gateways.forget(name, expected_tag=tag or None)
                    else:
                        await gateways.put(name, split.to_gateway_json(), expected_tag=tag)
                    return
                except SplitConflict:
                    if attempt == ATTEMPTS:
                        raise

    async def _tell_cluster(self, service: str, weight_percent: int, *, is_mirrored: bool) -> None:
        weighted = at_weight(self._state, service, weight_percent, is_mirrored=is_mirrored)
        unit = weighted.by_id()[service_unit_id(service)]
        writer = self._runtime.cluster.writer(f"adx-{self._state.environment}")
        await self._claim()
        for body in routing_manifests(unit, inputs_of(weighted, service)):
            await writer.apply(body)


async def healthy_instances(runtime: Runtime, state: DesiredState, change: ReleaseChange) -> int:
    """The instances of green that requests can go to. Raises AdxConnectionError, AdxTimeoutError.

    Behind our gateways as many as that one knows which knows the fewest, since it would not send any to the others;
    else the available pods.
    """
    if change.gateway != "caddy" or not change.green:
        inputs = inputs_of(state, change.service)
        return (await runtime.cluster.rollout_status(inputs.namespace, workload_name(inputs))).available
    async with Gateways(gateway_urls(runtime.environ)) as gateways:
        seen = await gateways.seen(change.registered_name)
    found = (one.releases.get(change.green) for one in seen)
    return min(len(release.instances) if release is not None else 0 for release in found)


def _split(state: DesiredState, change: ReleaseChange, weight_percent: int, *, is_mirrored: bool) -> Split | None:
    if not (change.blue and change.green) or change.blue == change.green:
        inputs = inputs_of(state, change.service)
        return _all_on(inputs, change.green if weight_percent else change.blue)
    weighted = at_weight(state, change.service, weight_percent, is_mirrored=is_mirrored)
    split = split_of(inputs_of(weighted, change.service))
    # Blue is kept for whoever wants it back; should green die before somebody says so, it answers by itself.
    return replace(split, fallback=change.blue) if weight_percent == 100 else split


def _all_on(inputs: ServiceInputs, release: str) -> Split | None:
    """None without a release: what answers then does not say of which it is, so there is nothing to tell apart."""
    declared = delivery_of(inputs).stickiness
    sticky = None if declared is None else Sticky(declared.cookie, declared.header)
    return all_on(release, sticky=sticky) if release else None


async def _tag(gateways: Gateways, name: str) -> str | None:
    """The tag of the present split, empty where there is none; None where gateways disagree, and all are told anew."""
    try:
        found = await gateways.get(name)
    except GatewaysDisagree:
        return None
    return found.tag if found is not None else ""
