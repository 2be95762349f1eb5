"""How single things are put into declarations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from pipelines.importing.amounts import same_amount, written
from pipelines.importing.documents import Existing
from pipelines.importing.images import NO_VERSION, image_of, parts_of
from pipelines.importing.model import Contents
from pipelines.importing.notes import Notes
from pipelines.importing.pods import called_by
from pipelines.importing.proposal import DELIVERED, Proposal, dangers
from pipelines.importing.propose import propose
from pipelines.importing.services import Place
from pipelines.importing.workloads import Workload, valid_name
from policies.infrastructure.spec import RolloutRules
from tests.importing.objects import Json, container_with, contents, deployment, named, objects, proposed, service_of
from tests.support.declared import base_documents, declarations

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


def values_of(found: Proposal) -> Json:
    """The values of the proposed configuration.yaml."""
    text = next(file.text for file in found.files if file.path.endswith("configuration.yaml"))
    return dict(yaml.safe_load(text)["values"])


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("redis", ("redis", "", "")),
        ("redis:7.4.2", ("redis", "7.4.2", "")),
        ("registry.example.com:5000/shop/cart", ("registry.example.com:5000/shop/cart", "", "")),
        ("registry.example.com:5000/cart:v1@sha256:ab", ("registry.example.com:5000/cart", "v1", "sha256:ab")),
    ],
)
def test_image_references_come_apart(reference: str, parts: tuple[str, str, str]) -> None:
    """The port of a registry is no tag."""
    assert parts_of(reference) == parts


@pytest.mark.parametrize(
    ("tag", "running", "version", "pinned"),
    [
        (":v1.4.2", DIGEST, "v1.4.2", None),
        (":latest", DIGEST, "sha256-0123456789ab", DIGEST),
        (":main", DIGEST, "main", DIGEST),
        (":latest", None, NO_VERSION, None),
        ("", None, NO_VERSION, None),
        (f"@{DIGEST}", None, "sha256-0123456789ab", DIGEST),
        (f":v2@{DIGEST}", None, "v2", DIGEST),
        (f":{'x' * 64}", None, NO_VERSION, None),
    ],
)
def test_a_version_names_one_image(tag: str, running: str | None, version: str, pinned: str | None) -> None:
    """A tag that moves is pinned to what the pods run, where they say so; else it is to be set, and said to be."""
    main: Json = {"name": "cart", "image": f"shop/cart{tag}"}
    notes = Notes(deployment(), "f", "p")
    found = image_of(Workload("cart", deployment(), main, None, None, None, running), notes)

    assert (found["image"], found["version"], found.get("image_digest")) == ("shop/cart", version, pinned)
    assert bool(notes.rows) == (tag not in {":v1.4.2", f":v2@{DIGEST}"})


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("cpu", "1", "1"),
        ("cpu", "1.5", "1.5"),
        ("cpu", "100u", "1m"),
        ("cpu", "1e3", "1000000m"),
        ("memory", "134217728", "128Mi"),
        ("memory", "1000", "1Ki"),
        ("memory", "1e9", "976563Ki"),
        ("memory", "128974848", "123Mi"),
        ("memory", "2Gi", "2Gi"),
        ("memory", "1Pi", "1024Ti"),
        ("memory", "lots", None),
        ("cpu", "0", None),
    ],
)
def test_amounts_are_spelled_as_declarations_take_them(kind: str, text: str, expected: str | None) -> None:
    """The same amount, or the next above it."""
    assert written(kind, text) == expected


def test_amounts_are_compared_as_numbers() -> None:
    """However they are spelled."""
    assert same_amount("1", "1000m")
    assert same_amount("1Gi", "1024Mi")
    assert not same_amount("1G", "1Gi")
    assert not same_amount("x", "x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cart", "cart"), ("Cart_v2", "cart-v2"), ("2048", "s-2048"), ("x" * 60, "x" * 40), ("a.b", "a-b")],
)
def test_names_are_made_valid(name: str, expected: str) -> None:
    """What is valid already stays."""
    assert valid_name(name) == expected


def test_what_can_be_declared_is_and_a_probe_finds_its_port() -> None:
    """Ports by name or number, all three kinds of probes, values, folders, autoscaling."""
    found = proposed(objects())
    service = service_of(found)

    assert service["ports"] == [{"name": "http", "port": 80, "target_port": 8080}]
    assert service["probes"] == {
        "readiness": {"port": "http", "http_path": "/ready", "period_seconds": 5},
        "liveness": {"port": "http", "tcp": True},
        "startup": {"port": "http", "grpc": True},
    }
    assert service["autoscaling"] == {"min_replicas": 1, "max_replicas": 4, "target_cpu_percent": 60}
    assert (service["env"], service["writable_paths"]) == ({"LOG_LEVEL": "info"}, ["/tmp"])
    assert values_of(found) == {"cart": {"CURRENCY": "EUR"}}
    assert not [row for row in found.rows if row.kind in {"danger", "secret"}]


def test_later_variables_hide_earlier_ones() -> None:
    """As the kubelet has it: envFrom in order, then env."""
    of = container_with(
        envFrom=[{"configMapRef": {"name": "settings"}}, {"prefix": "P_", "configMapRef": {"name": "settings"}}],
        env=[{"name": "CURRENCY", "value": "USD"}],
    )
    found = proposed(of)

    assert service_of(found)["env"] == {"CURRENCY": "USD"}
    assert values_of(found) == {"cart": {"P_CURRENCY": "EUR"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2-canary"),
        ("DSN", "postgresql://shop:hunter2-canary@db/shop"),
        ("NOTE", "vault:hunter2-canary"),
    ],
)
def test_what_looks_like_a_secret_becomes_a_reference_wherever_it_stands(name: str, value: str) -> None:
    """In a variable, a ConfigMap, a probe's header; its value is nowhere."""
    header = {"httpGet": {"path": "/", "port": 8080, "httpHeaders": [{"name": "X-Auth-Token", "value": value}]}}
    of = container_with(env=[{"name": name, "value": value}], readinessProbe=header)
    of["ConfigMap"]["data"] = {f"B_{name}": value}
    found = proposed(of)

    assert values_of(found) == {"cart": {key: f"vault:kv/secrets/live/cart#{key}" for key in (f"B_{name}", name)}}
    assert sum(row.kind == "secret" for row in found.rows) == 3
    assert "hunter2-canary" not in repr(found)


def test_no_text_of_a_cluster_can_end_a_comment_or_forge_a_line() -> None:
    """Names of variables and values are data."""
    of = container_with(env=[{"name": "A\nservices: []\u202e#", "value": "x"}, {"name": "B", "value": "a\u202eb"}])
    of["Deployment"]["metadata"]["labels"] = {"x\nkind: Tenant": "y"}
    found = proposed(of)

    assert service_of(found)["name"] == "cart"
    assert "\u202e" not in "".join(file.text for file in found.files)
    assert {"env[A\nservices: []\u202e#]", "env[B]"} <= {
        row.field.removeprefix("spec.template.spec.containers[cart].") for row in found.rows
    }


def test_it_is_the_same_however_the_cluster_orders_its_answers() -> None:
    """Twice, with lists turned round."""
    of = objects()
    second = named("ConfigMap", "more", data={"A": "1"})
    one = Contents("shop", {kind: (item,) for kind, item in of.items()} | {"ConfigMap": (of["ConfigMap"], second)})
    other = Contents("shop", dict(reversed({**one.objects, "ConfigMap": (second, of["ConfigMap"])}.items())))
    first, again = (propose(each, Place("live", None), Existing()) for each in (one, other))

    assert (first.files, first.rows) == (again.files, again.rows)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": "Registry/UPPER:v1"}, "refused"),
        ({"resources": {"limits": {"cpu": "1", "memory": "1Mi"}}}, "write an amount from 4Mi"),
    ],
)
def test_a_service_that_schema_or_rules_refuse_is_left_out_and_said_to_be(fields: Json, said: str) -> None:
    """An image whose name no declaration takes, an amount with which nothing starts; the rest is proposed."""
    found = proposed(container_with(**fields))

    assert service_texts(found) == []
    assert [row.object for row in found.rows if row.kind == "lost" and said in row.what] == ["Deployment/cart"]


def test_a_field_beyond_its_bounds_is_left_out_alone() -> None:
    """One probe and the wait go, and are reported; the service stays."""
    slow = {"tcpSocket": {"port": 8080}, "initialDelaySeconds": 7200}
    of = container_with(livenessProbe=slow)
    of["Deployment"]["spec"]["progressDeadlineSeconds"] = 7200
    found = proposed(of)

    assert list(service_of(found)["probes"]) == ["readiness", "startup"]
    assert "ready_timeout_seconds" not in service_of(found)
    assert {"containers[cart].livenessProbe", "progressDeadlineSeconds"} <= {
        row.field.removeprefix("spec.template.").removeprefix("spec.") for row in found.rows
    }


def test_an_environment_that_is_declared_keeps_its_namespace_flags_and_wait() -> None:
    """Only services.yaml and configuration.yaml are proposed; where it would go is warned of."""
    declared = next(iter(declarations(base_documents()).environments.values()))
    environment = msgspec.structs.replace(
        declared.environment, name="live", namespace="shop", rollout=RolloutRules(ready_timeout_seconds=120)
    )
    found = propose(contents(objects()), Place("live", None), Existing(environment, declared.flags))

    assert [file.path for file in found.files] == [
        "environments/live/services.yaml",
        "environments/live/configuration.yaml",
    ]
    assert service_of(found)["ready_timeout_seconds"] == 600
    assert (found.target_namespace, found.rows[0].kind) == ("shop", "danger")


def test_calls_are_guessed_from_addresses_and_never_in_a_circle() -> None:
    """By a host name in a value; the last that would close the circle is left out."""
    settings = {
        "a": {"B_ADDR": "b:80", "NOTE": "b", "C_HOST": "c", "SELF_URL": "http://a/"},
        "b": {"URL": "https://c.shop.svc:443/x"},
        "c": {"DSN": "amqp://a:5672", "OTHER": "elsewhere:1"},
    }

    assert called_by(settings, {"a", "b", "c"}) == {
        "a": {"b": "B_ADDR", "c": "C_HOST"},
        "b": {"c": "URL"},
    }


def test_a_value_that_names_the_old_namespace_is_pointed_out() -> None:
    """There it leads back to what runs now."""
    found = proposed(
        container_with(env=[{"name": "DB", "value": "db.shop.svc:5432"}, {"name": "X", "value": "a.shopper"}])
    )

    assert [row.path for row in found.rows if "leads into shop" in row.what] == ["services.cart.env.DB"]


def service_texts(found: Proposal) -> list[Any]:
    """All services of the proposed services.yaml."""
    text = next(file.text for file in found.files if file.path.endswith("services.yaml"))
    return list(yaml.safe_load(text)["services"])


@pytest.mark.parametrize(
    ("labels", "target", "said"),
    [
        ({}, "shop", "others made this namespace"),
        ({"app.kubernetes.io/managed-by": "adx"}, "shop", "others made this namespace"),
        ({"app.kubernetes.io/managed-by": "Helm", "adx/environment": "live"}, "shop", "others made this namespace"),
        (
            {"app.kubernetes.io/managed-by": "adx", "adx/environment": "staging"},
            "shop",
            "ADX's environment staging has",
        ),
        ({"app.kubernetes.io/managed-by": "adx", "adx/environment": "staging"}, "new", DELIVERED),
        ({"app.kubernetes.io/managed-by": "adx", "adx/environment": "live"}, "shop", DELIVERED),
        ({}, "new", None),
    ],
)
def test_whose_a_namespace_is_both_labels_say(labels: Json, target: str, said: str | None) -> None:
    """As the rollout decides it; what ADX delivers somewhere else already is said to be, too."""
    of = objects()
    of["Namespace"]["metadata"]["labels"] = labels
    found = list(dangers(contents(of), target, "live"))

    assert [(row.kind, row.object) for row in found] == [("danger", "Namespace/shop")] * (said is not None)
    assert all(row.what.startswith(said or "") for row in found)


def test_values_that_stand_in_clear_are_counted_for_a_person_to_look_through() -> None:
    """Those of both files, without references."""
    found = proposed(container_with(env=[{"name": "LOG_LEVEL", "value": "info"}, {"name": "SMTP_PASS", "value": "x"}]))

    assert (service_of(found)["env"], values_of(found)["cart"]["CURRENCY"]) == ({"LOG_LEVEL": "info"}, "EUR")
    assert found.in_clear == 2
