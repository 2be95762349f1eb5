"""Tenant in the environment, else the environment, else the service's default."""

from __future__ import annotations

import itertools

import pytest

from policies.configuration.delivered import values_of_state
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_resolution import LAYERS, declared_layers, resolve
from policies.declarations import Declarations
from policies.desired_state import resolve as resolved_state
from tests.support.declared import declarations, edited

PLACES = {
    "tenant": ("tenants/acme.yaml", "overrides.production.configuration.frontend.THEME", "of the tenant"),
    "environment": ("environments/production/configuration.yaml", "values.frontend.THEME", "of the environment"),
    "default": (
        "environments/production/services.yaml",
        "services[0].configuration",
        [{"key": "THEME", "default": "of the service"}],
    ),
}
SUBSETS = [subset for size in range(4) for subset in itertools.combinations(LAYERS, size)]


def with_layers(layers: tuple[str, ...]) -> Declarations:
    """The base with THEME declared in ``layers``."""
    edits: dict[str, dict[str, object]] = {}
    for layer in layers:
        file, path, value = PLACES[layer]
        edits.setdefault(file, {})[path] = value
    return declarations(edited(edits))


def theme(tenant: str | None) -> ConfigurationKey:
    return ConfigurationKey(
        namespace="shop", environment="production", service="frontend", key="THEME", tenant_id=tenant
    )


@pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
def test_the_most_particular_layer_counts(layers: tuple[str, ...]) -> None:
    """For every set of layers that have a value, in the order that is stated."""
    found = list(declared_layers(with_layers(layers), theme("acme")))

    assert [one.layer for one in found] == [layer for layer in LAYERS if layer in layers]
    assert resolve(with_layers(layers), theme("acme")) == (found[0] if found else None)


@pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
def test_a_tenant_never_gets_what_another_has_for_itself(layers: tuple[str, ...]) -> None:
    """Nor does somebody who asks for no tenant."""
    for tenant in ("globex", "unknown", None):
        found = resolve(with_layers(layers), theme(tenant))

        assert found is None or found.layer != "tenant"


@pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
def test_what_the_store_keeps_gives_readers_the_same_answer(layers: tuple[str, ...]) -> None:
    """A reader looks for the tenant's row, then for the environment's: two look-ups say what three layers say."""
    declared = with_layers(layers)
    namespace = declared.environments["production"].environment.namespace
    rows = values_of_state(resolved_state(declared, "production", "a" * 40))

    for tenant in ("acme", "globex", None):
        key = ConfigurationKey(
            namespace=namespace, environment="production", service="frontend", key="THEME", tenant_id=tenant
        )
        expected = resolve(declared, key)
        assert rows.get(key, rows.get(key.for_all_tenants())) == (expected and expected.value)


def test_another_environment_has_values_of_its_own() -> None:
    """Nothing of production reaches development."""
    key = ConfigurationKey(namespace="shop", environment="development", service="frontend", key="THEME")

    assert resolve(with_layers(LAYERS), key) is None
    assert resolve(with_layers(LAYERS), ConfigurationKey(**{**vars_of(key), "environment": "nowhere"})) is None


def test_a_value_knows_where_it_stands() -> None:
    """So that a message can name file and path."""
    found = resolve(with_layers(("environment",)), theme(None))

    assert found is not None
    assert (found.file, found.path) == ("environments/production/configuration.yaml", "values.frontend.THEME")


def vars_of(key: ConfigurationKey) -> dict[str, str]:
    return {"namespace": key.namespace, "environment": key.environment, "service": key.service, "key": key.key}
