"""Applied and live objects: what is rendered, and what the API server makes of it when somebody touches it."""

from __future__ import annotations

import copy
from typing import Any

from infra.render import render_unit
from policies.desired_state import DesiredState
from policies.services.spec import ResourceAmounts, Resources
from tests.support.desired import AUTOSCALED, desired_state, platform_unit, service_spec, service_unit, tenant_unit
from workflows.clients.kubernetes.normalise import object_id
from workflows.drift.compare import AppliedObject

Json = dict[str, Any]


def state_of(environment: str) -> DesiredState:
    """A shop that uses everything that can be declared."""
    amounts = ResourceAmounts(cpu="1000m", memory="1024Mi")
    search = service_spec(
        "search", replicas=None, autoscaling=AUTOSCALED, resources=Resources(requests=amounts, limits=amounts)
    )
    return desired_state(
        environment,
        platform_unit(environment),
        service_unit(environment, LOG_LEVEL="info"),
        service_unit(environment, search),
        tenant_unit(environment),
    )


STATE = state_of("test")


def applied(state: DesiredState = STATE) -> dict[str, AppliedObject]:
    """Everything that ``state`` renders, as the engine keeps it."""
    return {
        object_id(body): AppliedObject(unit=unit.id, body=body) for unit in state.units for body in render_unit(unit)
    }


class Cluster:
    """Live objects by id, untouched until a test touches one."""

    def __init__(self, state: DesiredState = STATE) -> None:
        self.objects: dict[str, Json] = {id_: copy.deepcopy(one.body) for id_, one in applied(state).items()}
        for body in self.objects.values():
            body["metadata"] |= {"uid": "1", "resourceVersion": "7", "creationTimestamp": "2026-01-31T09:05:00Z"}
            body["metadata"]["managedFields"] = [
                {"manager": "adx-test", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
            ]
            body["status"] = {"observed": True}

    def live(self) -> list[Json]:
        """As the API server lists them."""
        return list(self.objects.values())

    def own(self, id_: str, fields: Json, *, manager: str = "kubectl-edit", subresource: str = "") -> None:
        """Note that ``manager`` has set ``fields`` (as ``fieldsV1``)."""
        entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
        self.objects[id_]["metadata"]["managedFields"].append(
            entry | ({"subresource": subresource} if subresource else {})
        )

    def container(self, id_: str = "Deployment/shop-test/cart") -> Json:
        """The container of a Deployment."""
        found: Json = self.objects[id_]["spec"]["template"]["spec"]["containers"][0]
        return found
