"""Components of others: installed Python packages that render objects beside ours. Discovers, checks, completes.

A package names a function under the entry point group ``adx.components``::

    [project.entry-points."adx.components"]
    support = "shop_components:support"

    def support(unit: Unit) -> list[dict[str, Any]]: ...

It is asked about every unit, and answers with manifests, or nothing. Code
comes with the environment that ADX runs in, never from a commit, so that no
pull request brings code that a preview or a worker runs (``docs/adr/0016``).

A component chooses what is in an object. Where the object lies, whose it is
and how it is applied is decided here, so that it is verified, restored and
removed as ours are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import msgspec

from infra.errors import ComponentFailed
from infra.metadata import SKIP_AWAIT, Manifest, manifest
from policies.desired_state import TenantInputs, Unit

GROUP = "adx.components"
TENANT_KINDS = frozenset({"ConfigMap", "ResourceQuota", "LimitRange", "NetworkPolicy"})
# What ADX compares object by object and restores, without namespaces (one for each unit) and workloads (services).
KINDS = TENANT_KINDS | {"ServiceAccount", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "HTTPRoute"}
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?\Z")
_OURS = re.compile(r"(?:adx|pulumi\.com|app\.kubernetes\.io)/")
_METADATA = frozenset({"name", "labels", "annotations"})

Render = Callable[[Unit], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class OwnComponent:
    """A component by the name of its entry point, which its objects carry as ``app.kubernetes.io/component``."""

    name: str
    render: Render

    def manifests(self, unit: Unit) -> list[Manifest]:
        """The component's objects of ``unit``, complete; raises ComponentFailed, NameInvalid.

        It never sees the commit, so that a commit alone changes none of its objects.
        """
        try:
            made = self.render(msgspec.structs.replace(unit, commit=""))
            # What is not plain data is refused, and what the component keeps of it cannot change any more.
            bodies = msgspec.json.decode(msgspec.json.encode(list(made)), type=list[dict[str, Any]])
        except (Exception, SystemExit) as error:
            raise self._failed(unit, f"{type(error).__name__}: {error}") from error
        return [self._complete(unit, body) for body in bodies]

    def _complete(self, unit: Unit, body: Manifest) -> Manifest:
        if wrong := wrong_in(unit, body):
            raise self._failed(unit, wrong)
        metadata = body["metadata"]
        rest = {name: value for name, value in body.items() if name not in {"apiVersion", "kind", "metadata"}}
        return manifest(
            unit, self.name, body["apiVersion"], body["kind"], metadata["name"],
            namespace=unit.inputs.namespace, annotations=metadata.get("annotations", {}) | SKIP_AWAIT,
            labels=metadata.get("labels", {}), **rest,
        )  # fmt: skip

    def _failed(self, unit: Unit, why: str) -> ComponentFailed:
        return ComponentFailed(
            f"the component {self.name} failed for {unit.id}: {why}",
            next_step=f"correct the package that names {self.name} under {GROUP}, and install it anew",
        )


def own_manifests(unit: Unit, before: Sequence[Manifest]) -> list[Manifest]:
    """What all installed components render for ``unit``, beside ``before``; raises ComponentFailed, NameInvalid."""
    made: list[Manifest] = []
    for component in installed():
        for body in component.manifests(unit):
            if any(key_of(other) == key_of(body) for other in (*before, *made)):
                raise ComponentFailed(
                    f"the component {component.name} renders {body['kind']} {body['metadata']['name']} for {unit.id}, "
                    "which is rendered already",
                    next_step="give the object another name",
                )
            made.append(body)
    return made


def key_of(body: Manifest) -> tuple[str, str, str]:
    """What the API server knows the object by, versions left out: kind, namespace, name."""
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def wrong_in(unit: Unit, body: Manifest) -> str:
    """Why the manifest cannot be part of ``unit``; empty when it can."""
    kinds = TENANT_KINDS if isinstance(unit.inputs, TenantInputs) else KINDS
    kind, metadata = body.get("kind"), body.get("metadata")
    if kind not in kinds or not isinstance(body.get("apiVersion"), str):
        return f"{kind} cannot be rendered for it; known are {', '.join(sorted(kinds))}, each with its apiVersion"
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return f"the {kind} has no metadata.name"
    where = f"{kind} {metadata['name']}"
    if more := sorted(metadata.keys() - _METADATA - {"namespace"}):
        return f"{where} has metadata.{more[0]}; known are {', '.join(sorted(_METADATA))}"
    if metadata.get("namespace", unit.inputs.namespace) != unit.inputs.namespace:
        return f"{where} is in another namespace than {unit.inputs.namespace}"
    return _wrong_marks(where, metadata)


def _wrong_marks(where: str, metadata: Mapping[str, Any]) -> str:
    """What is wrong with labels and annotations."""
    for field in ("labels", "annotations"):
        marks = metadata.get(field, {})
        if not isinstance(marks, dict) or not all(isinstance(value, str) for value in marks.values()):
            return f"{where} has {field} that are not text"
        if taken := [name for name in marks if _OURS.match(name)]:
            return f"{where} has {taken[0]} among its {field}, which ADX sets"
    return ""


@cache
def installed() -> tuple[OwnComponent, ...]:
    """Every component of this environment, by name; raises ComponentFailed.

    A worker asks when it starts: one that cannot render must not take up a rollout, which it could not restore either.
    """
    return load(entry_points(group=GROUP))


def load(points: Iterable[EntryPoint]) -> tuple[OwnComponent, ...]:
    """The components that ``points`` name, ordered by name; raises ComponentFailed."""
    found: dict[str, OwnComponent] = {}
    for point in points:
        if point.name in found or not _NAME.match(point.name):
            why = "is named by two packages" if point.name in found else "is no name"
            raise ComponentFailed(
                f"the component {point.name!r} {why}{_named_by(point)}",
                next_step="use lower-case letters, digits and hyphens, at most 40, and every name once",
            )
        found[point.name] = OwnComponent(point.name, _imported(point))
    return tuple(found[name] for name in sorted(found))


def _imported(point: EntryPoint) -> Render:
    """The function that ``point`` names; raises ComponentFailed where it is none, or its import fails or exits."""
    try:
        found = point.load()
        if not callable(found):
            raise TypeError(f"{point.value} is no function")
    except (Exception, SystemExit) as error:
        raise ComponentFailed(
            f"the component {point.name} cannot be imported: {type(error).__name__}: {error}{_named_by(point)}",
            next_step=f"correct or uninstall the package that names it under {GROUP}, then start again",
        ) from error
    return cast(Render, found)


def _named_by(point: EntryPoint) -> str:
    """The package that ``point`` is of, where it is of one."""
    return f" (package {point.dist.name} {point.dist.version})" if point.dist else ""
