"""Nothing of an object is lost in silence: by every field that Kubernetes' own models have, and for any objects."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.models import apps_v1, autoscaling_v2, core_v1, policy_v1

from pipelines.importing.differences import compared
from pipelines.importing.leaves import leaves_of, text_of
from tests.importing.objects import Json, objects, proposed

SERVER_SAYS = {"spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort", "secrets"}  # given out
# Looked at field by field below; or nothing that an API server accepts beside what the sample has.
LOOKED_INTO = {"spec.template", "spec.template.spec.containers", "spec.template.spec.containers.0.envFrom.0.secretRef"}
# Where in the sample each model is; a field of a model is set there to something that no sample and no default has.
PLACES: tuple[tuple[str, str, type], ...] = (
    ("Deployment", "spec", apps_v1.DeploymentSpec),
    ("Deployment", "spec.strategy", apps_v1.DeploymentStrategy),
    ("Deployment", "spec.template.spec", core_v1.PodSpec),
    ("Deployment", "spec.template.spec.containers.0", core_v1.Container),
    ("Deployment", "spec.template.spec.containers.0.readinessProbe", core_v1.Probe),
    ("Deployment", "spec.template.spec.containers.0.readinessProbe.httpGet", core_v1.HTTPGetAction),
    ("Deployment", "spec.template.spec.containers.0.livenessProbe.tcpSocket", core_v1.TCPSocketAction),
    ("Deployment", "spec.template.spec.containers.0.startupProbe.grpc", core_v1.GRPCAction),
    ("Deployment", "spec.template.spec.containers.0.ports.0", core_v1.ContainerPort),
    ("Deployment", "spec.template.spec.containers.0.env.0", core_v1.EnvVar),
    ("Deployment", "spec.template.spec.containers.0.envFrom.0", core_v1.EnvFromSource),
    ("Deployment", "spec.template.spec.containers.0.volumeMounts.0", core_v1.VolumeMount),
    ("Deployment", "spec.template.spec.containers.0.resources", core_v1.ResourceRequirements),
    ("Deployment", "spec.template.spec.volumes.0", core_v1.Volume),
    ("Deployment", "spec.template.spec.volumes.0.emptyDir", core_v1.EmptyDirVolumeSource),
    ("Deployment", "spec.template.spec.securityContext", core_v1.PodSecurityContext),
    ("Deployment", "spec.template.spec.containers.0.securityContext", core_v1.SecurityContext),
    ("Deployment", "spec.template.spec.topologySpreadConstraints.0", core_v1.TopologySpreadConstraint),
    ("Service", "spec", core_v1.ServiceSpec),
    ("Service", "spec.ports.0", core_v1.ServicePort),
    ("HorizontalPodAutoscaler", "spec", autoscaling_v2.HorizontalPodAutoscalerSpec),
    ("HorizontalPodAutoscaler", "spec.behavior", autoscaling_v2.HorizontalPodAutoscalerBehavior),
    ("HorizontalPodAutoscaler", "spec.metrics.0", autoscaling_v2.MetricSpec),
    ("PodDisruptionBudget", "spec", policy_v1.PodDisruptionBudgetSpec),
    ("ConfigMap", "", core_v1.ConfigMap),
    ("ServiceAccount", "", core_v1.ServiceAccount),
)


def sample(of: Any) -> Any:
    """Some value of the type ``of``, no default of anything."""
    arguments = [one for one in typing.get_args(of) if one is not types.NoneType]
    origin = typing.get_origin(of)
    if origin is list:
        return [sample(arguments[0])]
    if dict in {origin, of}:
        return {"zebra": sample(arguments[1]) if arguments else "zebra"}
    if origin in {typing.Union, types.UnionType}:
        return sample(arguments[0])
    if of in {int, float}:
        return 77
    if of is bool:
        return True
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        listed = msgspec.structs.fields(of)
        wanted = [one for one in listed if one.required] or listed[:1]
        return {one.encode_name: sample(one.type) for one in wanted}
    return "zebra"


def fields() -> Iterator[tuple[str, str, str, Any]]:
    """Kind, place, field and a value of every field of every model."""
    for kind, place, model in PLACES:
        for one in msgspec.structs.fields(model):
            if one.encode_name not in {"apiVersion", "kind", "metadata"}:
                yield kind, place, one.encode_name, sample(one.type)


def holder(body: Json, place: str) -> Any:
    """What is at ``place``, made where it is missing."""
    at: Any = body
    for step in place.split(".") if place else ():
        if step.isdecimal():
            at.append({}) if not at else None
            at = at[int(step)]
        else:
            at = at.setdefault(step, [] if step.endswith(("Constraints",)) else {})
    return at


def spread_objects() -> dict[str, Json]:
    """The sample with a rule of spreading, too."""
    of = objects()
    rule = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
    of["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"] = [rule]
    return of


def said(of: dict[str, Json]) -> tuple[Any, Any]:
    """Everything that a person is told."""
    found = proposed(of)
    return found.files, found.rows


def test_every_field_of_kubernetes_makes_a_difference_to_what_is_told() -> None:
    """To the proposal or to the report; but for what servers give out by themselves."""
    silent = []
    unchanged = said(spread_objects())
    for kind, place, name, value in fields():
        of = spread_objects()
        where = f"{place}.{name}" if place else name
        target = holder(of[kind], place)
        if target.get(name) != value and where not in LOOKED_INTO | SERVER_SAYS:
            target[name] = value
            if said(of) == unchanged:
                silent.append(f"{kind}: {where} = {value}")
    # An autoscaler is there, which has the say.
    assert silent == ["Deployment: spec.replicas = 77"]


SCALARS = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "1", "1000m"]))
NAMES = st.sampled_from(["name", "limits", "cpu", "labels", "spec", "a.b"])
BODIES = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3))
    ),
    max_size=4,
)


@settings(max_examples=50)
@given(live=BODIES, rendered=BODIES)
def test_every_leaf_is_kept_or_equal_or_reported(live: Json, rendered: Json) -> None:
    """And in exactly one of the three; what is reported lies below the place of a row."""
    found = compared("Deployment", "Deployment/cart", live, rendered)
    tops = [row.field for row in found.rows if row.kind in {"lost", "changed"}]
    texts = [text_of(place) for place in leaves_of(live)]

    assert len(found.kept) + len(found.equal) + len(found.reported) == len(texts)
    assert found.kept | found.equal | found.reported == set(texts)
    for text in found.reported:
        assert any(text == top or text.startswith((f"{top}.", f"{top}[")) for top in tops), text


@pytest.mark.parametrize("kind", ["ServiceAccount", "PodDisruptionBudget", "Service", "HorizontalPodAutoscaler"])
def test_an_object_that_belongs_to_nothing_is_reported_as_a_whole(kind: str) -> None:
    """Under another name, choosing other pods."""
    of = objects()
    body = of[kind]
    body["metadata"]["name"] = "stray"
    if "spec" in body:
        body["spec"] |= {"selector": {"matchLabels": {"app": "x"}} if kind != "Service" else {"app": "x"}}
        body["spec"].get("scaleTargetRef", {})["name"] = "nobody"

    assert (f"{kind}/stray", "") in {(row.object, row.field) for row in proposed(of).rows if row.kind == "lost"}
