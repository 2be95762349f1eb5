"""What workloads get of configuration: values in clear, secrets only as forms that Vault opens."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from infra.render import render_unit
from policies.configuration.delivered import values_of_state
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_resolution import effective
from policies.desired_state import Unit, resolve
from policies.services.spec import ConfigurationNeed
from tests.support.configuration import CIPHERTEXT
from tests.support.declared import base_documents, declarations
from tests.support.desired import service_spec, service_unit, tenant_unit

REFERENCE = "vault:kv/shop/rates#token"


def config_maps(unit: Unit) -> dict[str, dict[str, str]]:
    """The data of the unit's ConfigMaps by name."""
    return {body["metadata"]["name"]: body["data"] for body in render_unit(unit) if body["kind"] == "ConfigMap"}


def pods(unit: Unit) -> dict[str, Any]:
    """The pod template of the unit's Deployment."""
    deployment = next(body for body in render_unit(unit) if body["kind"] == "Deployment")
    template: dict[str, Any] = deployment["spec"]["template"]
    return template


@pytest.mark.parametrize("form", [CIPHERTEXT, REFERENCE])
def test_a_secret_is_no_environment_variable_in_any_form(form: str) -> None:
    """A variable with a ciphertext would pass for the value."""
    unit = service_unit(LOG_LEVEL="info", RATES_TOKEN=form)

    maps, (container,) = config_maps(unit), pods(unit)["spec"]["containers"]

    assert maps["cart-configuration"] == {"LOG_LEVEL": "info"}
    assert container["envFrom"] == [{"configMapRef": {"name": "cart-configuration"}}]
    assert form not in json.dumps(container)
    assert json.loads(maps["cart-sealed"]["sealed.json"])["RATES_TOKEN"]["form"] == form


def test_a_secret_says_which_key_it_is_bound_to() -> None:
    """Vault derives from it: whoever opens the secret needs it."""
    entry = json.loads(config_maps(service_unit(RATES_TOKEN=CIPHERTEXT))["cart-sealed"]["sealed.json"])["RATES_TOKEN"]

    key = ConfigurationKey(namespace="shop-test", environment="test", service="cart", key="RATES_TOKEN")
    assert base64.b64decode(entry["context"]) == key.canonical


def test_pods_with_secrets_get_a_login_to_vault_and_to_nothing_else() -> None:
    """A token for Vault alone, beside the forms; still none for the API server."""
    spec = pods(service_unit(RATES_TOKEN=CIPHERTEXT))["spec"]
    (container,) = spec["containers"]

    sources = next(one for one in spec["volumes"] if one["name"] == "sealed")["projected"]["sources"]
    assert sources[0] == {"configMap": {"name": "cart-sealed"}}
    assert sources[1]["serviceAccountToken"]["audience"] == "vault"
    assert spec["automountServiceAccountToken"] is False
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["ADX_SEALED_FILE"] == "/etc/adx/sealed/sealed.json"
    assert variables["ADX_VAULT_KUBERNETES_TOKEN_FILE"] == "/etc/adx/sealed/vault-token"
    assert "envFrom" not in container


def test_pods_without_secrets_get_no_token() -> None:
    """Nothing is mounted that nobody needs."""
    assert "serviceAccountToken" not in json.dumps(pods(service_unit(LOG_LEVEL="info")))


def test_a_default_of_the_service_counts_where_the_environment_says_nothing() -> None:
    """The environment's value goes before it."""
    needs = (ConfigurationNeed(key="PAGE_SIZE", default=24), ConfigurationNeed(key="CURRENCY", default="EUR"))

    maps = config_maps(service_unit(spec=service_spec(configuration=needs), CURRENCY="USD"))

    assert maps == {"cart-configuration": {"CURRENCY": "USD", "PAGE_SIZE": "24"}}


def test_a_changed_value_default_or_secret_restarts_the_pods() -> None:
    """What a service reads at its start it reads again."""
    digests = {
        pods(
            service_unit(spec=service_spec(configuration=(ConfigurationNeed(key="SIZE", default=default),)), TOKEN=form)
        )["metadata"]["annotations"]["adx/configuration-digest"]
        for default, form in ((1, CIPHERTEXT), (2, CIPHERTEXT), (1, REFERENCE))
    }

    assert len(digests) == 3


def test_secrets_of_a_tenant_stand_apart_from_its_values() -> None:
    """Readers of configuration.json find no form where they expect a value."""
    data = config_maps(tenant_unit(configuration={"cart": {"CURRENCY": "EUR", "TOKEN": CIPHERTEXT}}))[
        "tenant-overrides"
    ]

    assert json.loads(data["configuration.json"]) == {"cart": {"CURRENCY": "EUR"}}
    sealed = json.loads(data["sealed.json"])["cart"]["TOKEN"]
    assert json.loads(base64.b64decode(sealed["context"]))[-1] == "acme"


def test_units_keep_in_the_store_what_declarations_say() -> None:
    """Two ways to the same values: of the desired state, and of the declarations; a tenant's beside everybody's."""
    documents = base_documents()
    frontend = documents["environments/production/services.yaml"]["services"][0]
    frontend["configuration"] = [{"key": key} for key in ("CURRENCY", "SHOW_BANNER")]
    frontend["configuration"] += [{"key": "PAGE_SIZE", "default": 7}, {"key": "SORT", "default": "name"}]
    declared = declarations(documents)

    kept = values_of_state(resolve(declared, "production", "a" * 40))

    said = [one for tenant in (None, *declared.tenants) for one in effective(declared, "production", tenant_id=tenant)]
    assert kept == {one.key: one.value for one in said}
    assert {key.key for key in kept if key.tenant_id == "acme"} == {"CURRENCY"}
    assert "name" in kept.values()
