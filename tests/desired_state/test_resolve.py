"""What a desired state consists of, and what does not make a difference to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from policies.configuration.spec import Scalar
from policies.declarations import Declarations
from policies.desired_state import (
    DesiredState,
    PlatformInputs,
    ServiceInputs,
    TenantInputs,
    digest_of,
    resolve,
    tenant_namespace,
)
from policies.errors import DeclarationError
from tests.support.declared import declarations as typed
from tests.support.declared import edited
from tests.support.strategies import ENVIRONMENT, declarations, property_of, scalars


def base(edits: Mapping[str, Mapping[str, object]] | None = None) -> Declarations:
    """The base declarations of the case files, edited."""
    return typed(edited(edits or {}))


def inputs_of(state: DesiredState, unit: str) -> Any:
    """The inputs of one unit."""
    return state.by_id()[unit].inputs


def test_units_are_the_platform_its_services_and_its_tenants_in_order() -> None:
    """Given two tenants of which one lives elsewhere too, each environment has the units of its own."""
    development = resolve(base(), "development", "c1")
    production = resolve(base(), "production", "c1")
    services = ["service/checkout", "service/frontend", "service/store"]
    assert [unit.id for unit in development.units] == ["platform", *services, "tenant/acme", "tenant/globex"]
    assert [unit.id for unit in production.units] == ["platform", *services, "tenant/acme"]


def test_the_platform_has_the_flags_of_its_environment() -> None:
    """Given two flags, the platform carries both by name."""
    inputs = inputs_of(resolve(base(), "development", "c1"), "platform")
    assert isinstance(inputs, PlatformInputs)
    assert [flag.name for flag in inputs.flags] == ["express-checkout", "gift-wrapping"]
    assert inputs.namespace == "shop-development"


def test_a_service_waits_as_long_as_its_environment_says_unless_it_says_itself() -> None:
    """Given an environment of 90 seconds, a service without a figure waits 90, one with 600 waits 600."""
    changed = base(
        {
            "environments/development/environment.yaml": {"rollout": {"ready_timeout_seconds": 90}},
            "environments/development/services.yaml": {"services[0].ready_timeout_seconds": 600},
        }
    )
    state = resolve(changed, "development", "c1")
    assert inputs_of(state, "service/frontend").ready_timeout_seconds == 600
    assert inputs_of(state, "service/store").ready_timeout_seconds == 90


def test_saying_what_is_the_default_changes_nothing() -> None:
    """Given a figure that equals the environment's and a target port that equals the port, no digest differs."""
    changed = base(
        {
            "environments/development/services.yaml": {
                "services[0].ready_timeout_seconds": 300,
                "services[1].ports[0].target_port": 5050,
            }
        }
    )
    before, after = resolve(base(), "development", "c1"), resolve(changed, "development", "c1")
    assert before == after


def test_a_service_carries_its_configuration() -> None:
    """Given values for the frontend only, the store has none."""
    state = resolve(base(), "development", "c1")
    frontend = inputs_of(state, "service/frontend")
    assert isinstance(frontend, ServiceInputs)
    assert frontend.configuration == {"CURRENCY": "EUR", "PAGE_SIZE": 24, "SHOW_BANNER": False}
    assert inputs_of(state, "service/store").configuration == {}


def test_a_tenant_has_the_overrides_of_this_environment_only() -> None:
    """Given overrides in production, development knows nothing of them."""
    development = inputs_of(resolve(base(), "development", "c1"), "tenant/acme")
    production = inputs_of(resolve(base(), "production", "c1"), "tenant/acme")
    assert isinstance(production, TenantInputs)
    assert (development.configuration, development.flags) == ({}, {})
    assert production.configuration == {"frontend": {"CURRENCY": "USD"}}
    assert production.flags == {"express-checkout": False}


def test_overridden_limits_replace_the_usual_ones_whole() -> None:
    """Given limits for production, they stand there and the tenant's own elsewhere."""
    limits = {"cpu": "8", "memory": "16Gi", "storage": "100Gi", "pods": 50}
    changed = base({"tenants/acme.yaml": {"overrides.production.resource_limits": limits}})
    assert msgspec.to_builtins(inputs_of(resolve(changed, "production", "c1"), "tenant/acme").resource_limits) == limits
    assert inputs_of(resolve(changed, "development", "c1"), "tenant/acme").resource_limits.cpu == "2"


def test_a_tenant_reaches_the_ports_on_which_containers_listen() -> None:
    """Given a frontend that is dialled on 80 and listens on 8080, the tenant's way leads to 8080."""
    inputs = inputs_of(resolve(base(), "development", "c1"), "tenant/acme")
    assert inputs.service_ports == {"frontend": (8080, 9090)}


def test_a_tenant_has_a_namespace_of_its_own_in_each_environment() -> None:
    """The namespace names environment and tenant."""
    assert inputs_of(resolve(base(), "production", "c1"), "tenant/acme").namespace == "production-tenant-acme"
    assert tenant_namespace("staging", "acme") == "staging-tenant-acme"


@pytest.mark.parametrize(("length", "is_refused"), [(44, False), (45, True)])
def test_a_namespace_that_kubernetes_would_refuse_is_refused(length: int, is_refused: bool) -> None:
    """Given 63 characters it is accepted, given 64 it is refused with the tenant's file."""
    tenant = msgspec.structs.replace(base().tenants["acme"], name="a" * length)
    changed = msgspec.structs.replace(base(), tenants={tenant.name: tenant})
    if not is_refused:
        assert len(inputs_of(resolve(changed, "development", "c1"), f"tenant/{tenant.name}").namespace) == 63
        return
    with pytest.raises(DeclarationError) as caught:
        resolve(changed, "development", "c1")
    (problem,) = caught.value.problems
    assert (problem.file, problem.path) == (f"tenants/{tenant.name}.yaml", "name")
    assert problem.what == f"the namespace development-tenant-{tenant.name} has 64 characters"
    assert problem.fix == "shorten the name of the tenant by 1 characters"


def test_an_environment_that_is_not_declared_has_no_state() -> None:
    """Asking for it is a programming error."""
    with pytest.raises(KeyError):
        resolve(base(), "nowhere", "c1")


def test_a_unit_keeps_the_commit_that_brought_it() -> None:
    """Given a new version of one service, that unit alone carries the new commit."""
    first = resolve(base(), "development", "c1")
    changed = base({"environments/development/services.yaml": {"services[0].version": "v9"}})
    second = resolve(changed, "development", "c2", first)
    assert {unit.id: unit.commit for unit in second.units if unit.commit == "c2"} == {"service/frontend": "c2"}
    assert {unit.commit for unit in second.units} == {"c1", "c2"}


def test_sources_are_recorded_as_given() -> None:
    """Given blob ids, the state carries them; without, it carries none."""
    state = resolve(base(), "development", "c1", sources={"tenants/acme.yaml": "abc"})
    assert state.sources == {"tenants/acme.yaml": "abc"}
    assert resolve(base(), "development", "c1").sources == {}


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ("1", 1), ("true", True)])
def test_values_that_only_python_takes_for_equal_have_different_digests(one: Scalar, other: Scalar) -> None:
    """Given 1 and true, which would be written differently, the digests differ."""
    assert digest_of({"KEY": one}) != digest_of({"KEY": other})


@property_of(one=st.dictionaries(st.text(max_size=3), scalars), other=st.dictionaries(st.text(max_size=3), scalars))
def test_digests_are_equal_exactly_when_the_documents_are(one: dict[str, Scalar], other: dict[str, Scalar]) -> None:
    """For any two mappings: same keys, values and types, same digest; the order of keys does not matter."""
    is_same = {key: repr(value) for key, value in one.items()} == {key: repr(value) for key, value in other.items()}
    assert (digest_of(one) == digest_of(other)) is is_same
    assert digest_of(one) == digest_of(dict(reversed(one.items())))


@property_of(declarations(), st.randoms(use_true_random=False))
def test_the_order_of_declarations_makes_no_difference(declarations: Declarations, random: Any) -> None:
    """For any declarations: shuffling services, flags, tenants, ports and names leads to the same state."""
    first = resolve(declarations, ENVIRONMENT, "c1")
    second = resolve(shuffled(declarations, random), ENVIRONMENT, "c1")
    assert msgspec.json.encode(first, order="deterministic") == msgspec.json.encode(second, order="deterministic")


@property_of(declarations())
def test_units_are_sorted_and_each_is_there_once(declarations: Declarations) -> None:
    """For any declarations: ids ascend strictly and every digest is that of the inputs."""
    state = resolve(declarations, ENVIRONMENT, "c1")
    ids = [unit.id for unit in state.units]
    assert ids == sorted(set(ids))
    assert all(unit.digest == digest_of(unit.inputs) for unit in state.units)


@property_of(declarations())
def test_a_state_survives_being_written_and_read(declarations: Declarations) -> None:
    """For any declarations: JSON and back is the same state with the same digests."""
    state = resolve(declarations, ENVIRONMENT, "c1")
    read = msgspec.json.decode(msgspec.json.encode(state), type=DesiredState)
    assert read == state
    assert all(unit.digest == digest_of(unit.inputs) for unit in read.units)


def shuffled(value: Any, random: Any) -> Any:
    """``value`` with every list and mapping in another order."""
    if isinstance(value, msgspec.Struct):
        fields = {name: shuffled(getattr(value, name), random) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, dict):
        items = [(key, shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(value, tuple):
        parts = [shuffled(item, random) for item in value]
        random.shuffle(parts)
        return tuple(parts)
    return value
