"""This repository's own environments and tenants are valid, and are what the documentation says they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.declarations import Declarations
from policies.desired_state import ServiceInputs, TenantInputs, resolve
from policies.folder_tree import FolderTree
from policies.loader import load
from policies.quantities import quantity

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("environments/*/*.yaml", "tenants/*.yaml")
    for path in REPOSITORY.glob(pattern)
)
ONLINE_BOUTIQUE = {
    "adservice",
    "cartservice",
    "checkoutservice",
    "currencyservice",
    "emailservice",
    "frontend",
    "loadgenerator",
    "paymentservice",
    "productcatalogservice",
    "recommendationservice",
    "shippingservice",
}


@pytest.fixture(scope="module")
def declared() -> Declarations:
    """Everything that this repository declares."""
    return load(FolderTree(REPOSITORY))


def test_the_repository_s_own_declarations_have_no_problem(declared: Declarations) -> None:
    """Given the files as they stand here, loading them raises nothing and finds three environments."""
    assert sorted(declared.environments) == ["development", "production", "staging"]


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_every_environment_runs_the_online_boutique(declared: Declarations, environment: str) -> None:
    """The eleven services and the store of the cart; production without the load generator."""
    expected = ONLINE_BOUTIQUE | {"redis-cart"}
    if environment == "production":
        expected = expected - {"loadgenerator"}
    services = {service.name for service in declared.environments[environment].services.services}
    assert services == expected


def test_development_is_light_enough_for_a_laptop(declared: Declarations) -> None:
    """One pod of everything, two cores and two gigabytes requested in all."""
    state = resolve(declared, "development", "commit")
    services = [unit.inputs.service for unit in state.units if isinstance(unit.inputs, ServiceInputs)]
    assert {service.replicas for service in services} == {1}
    assert sum(quantity(service.resources.requests.cpu) for service in services) <= 2
    assert sum(quantity(service.resources.requests.memory) for service in services) <= quantity("2Gi")


def test_only_production_asks_for_approval(declared: Declarations) -> None:
    """A newcomer can deliver to development and staging without anybody's consent."""
    approval = {name: item.environment.approval.required for name, item in declared.environments.items()}
    assert approval == {"development": False, "staging": False, "production": True}


def test_tenants_are_of_every_kind(declared: Declarations) -> None:
    """At least six tenants, four of them in development, with every isolation strategy and both engines."""
    tenants = declared.tenants.values()
    assert len(tenants) >= 6
    assert sum("development" in tenant.environments for tenant in tenants) >= 4
    strategies = {"shared_schema", "schema_per_tenant", "database_per_tenant"}
    assert {tenant.isolation_strategy for tenant in tenants} == strategies
    assert {tenant.database.engine for tenant in tenants} == {"postgresql", "mysql"}


def test_addresses_in_variables_are_ports_of_dependencies(declared: Declarations) -> None:
    """Where a variable names another service and its port, that service has the port and is a dependency."""
    for environment in declared.environments.values():
        ports = {item.name: {port.port for port in item.ports} for item in environment.services.services}
        for service in environment.services.services:
            for value in service.env.values():
                host, _, port = value.partition(":")
                if host in ports:
                    assert int(port) in ports[host], service.name
                    assert host in service.dependencies, service.name


@pytest.mark.parametrize("file", FILES)
def test_every_file_tells_the_editor_its_schema(file: str) -> None:
    """The first line is a modeline whose relative path leads to an existing schema."""
    path = REPOSITORY / file
    modeline = path.read_text("utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert modeline.startswith(prefix)
    schema = (path.parent / modeline.removeprefix(prefix)).resolve()
    assert schema.is_file()
    assert schema.is_relative_to(REPOSITORY / "policies")


def test_overrides_reach_the_tenant_s_inputs(declared: Declarations) -> None:
    """Nordlicht has a smaller quota in development than elsewhere."""
    inputs = resolve(declared, "development", "commit").by_id()["tenant/nordlicht-outdoor"].inputs
    assert isinstance(inputs, TenantInputs)
    assert inputs.resource_limits.cpu == "2"
    assert inputs.service_ports["frontend"] == (8080,)
