"""The documents of an environment, new or as they are, and the objects that they would render. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from infra.metadata import Manifest
from infra.render import render_unit
from pipelines.importing.model import Json
from pipelines.importing.notes import Notes
from pipelines.importing.services import KUBERNETES_READY_SECONDS, Draft, Place, owner_of
from policies import rules
from policies.configuration.spec import ConfigurationSpec, FlagsSpec, Scalar
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.desired_state import resolve
from policies.errors import Problem
from policies.infrastructure.spec import EnvironmentSpec
from policies.services.spec import ServicesSpec

UNKNOWN_REGION = "region-to-be-named"
NO_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True)
class Existing:
    """What the repository already declares of the environment; None where it does not."""

    environment: EnvironmentSpec | None = None
    flags: FlagsSpec | None = None


def environment_document(namespace: Json, place: Place, target: str, notes: Notes) -> Json:
    """``environment.yaml`` for an environment that the repository does not have yet."""
    name = namespace["metadata"]["name"]
    notes.add("guessed", "", "a cluster does not say what region it is in", at="region")
    notes.add("guessed", "", "what it is for is not known", at="description")
    owner = owner_of(namespace, place.owner, notes)
    return {
        "name": place.environment,
        "description": f"Imported from the namespace {name}.",
        "owner": owner,
        "region": UNKNOWN_REGION,
        "namespace": target,
        "rollout": {"ready_timeout_seconds": KUBERNETES_READY_SECONDS},
    }


def declared(environment: Json | EnvironmentSpec, flags: FlagsSpec | None, drafts: Sequence[Draft]) -> Declarations:
    """The environment with the services of ``drafts``, alone: no tenants, no databases."""
    spec = environment if isinstance(environment, EnvironmentSpec) else msgspec.convert(environment, EnvironmentSpec)
    services = {"environment": spec.name, "services": [draft.document for draft in drafts]}
    values: dict[str, dict[str, Scalar]] = {draft.workload.name: {**draft.values} for draft in drafts if draft.values}
    found = EnvironmentDeclarations(
        environment=msgspec.structs.replace(spec, post_deployment_tests=()),
        services=msgspec.convert(services, ServicesSpec),
        configuration=ConfigurationSpec(environment=spec.name, values=values),
        flags=flags or FlagsSpec(environment=spec.name, flags=()),
    )
    return Declarations(environments={spec.name: found}, tenants={})


def problems_of(declarations: Declarations) -> list[Problem]:
    """What the rules find, without places."""
    return rules.check(declarations, lambda _file, _path: (0, 0))


def rendered(declarations: Declarations, environment: str) -> dict[str, list[Manifest]]:
    """What ADX would make of them: ``{unit: manifests}``."""
    return {unit.id: render_unit(unit) for unit in resolve(declarations, environment, NO_COMMIT).units}


def place_with(place: Place, existing: Existing) -> Place:
    """``place`` with the wait of the environment: a new one gets that of Kubernetes."""
    known = existing.environment
    seconds = KUBERNETES_READY_SECONDS if known is None else known.rollout.ready_timeout_seconds
    return replace(place, ready_timeout_seconds=seconds)
