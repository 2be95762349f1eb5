"""Which registrations are refused, and what survives a registry's labels."""

from __future__ import annotations

from typing import Any

import pytest

from policies.services.spec import Autoscaling, ResourceAmounts, Resources
from workflows.services.registry import (
    Endpoint,
    GrpcCheck,
    HttpCheck,
    OfferedWorkflow,
    RegistrationRefused,
    ServiceConfig,
    ServiceRegistration,
    TtlCheck,
)
from workflows.services.registry.metadata import LONGEST_VALUE_CHARACTERS, instance_of, metadata_of
from workflows.services.registry.models import check_registration

HTTP = Endpoint("http", "10.0.0.7", 8080)


def made(**changed: Any) -> ServiceRegistration:
    """A registration that is in order, but for ``changed``."""
    given: dict[str, Any] = {"name": "cart", "version": "1.4.2", "endpoints": (HTTP,), "health_check": HttpCheck()}
    return ServiceRegistration(**(given | changed))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "Cart"}, "not one of DNS"),
        ({"name": "a" * 64}, "not one of DNS"),
        ({"version": ""}, "version '' is none"),
        ({"endpoints": ()}, "no endpoint"),
        ({"endpoints": (HTTP, Endpoint("grpc", "10.0.0.7", 8080))}, "have the same port 8080"),
        ({"endpoints": (HTTP, Endpoint("http", "10.0.0.7", 8081))}, "two endpoints are called 'http'"),
        ({"endpoints": (Endpoint("http", "10.0.0.7", 70_000),)}, "port 70000"),
        ({"endpoints": (Endpoint("http", "0.0.0.0", 80),)}, "cannot be called"),
        ({"endpoints": (Endpoint("http", "169.254.169.254", 80),)}, "cannot be called"),
        ({"endpoints": (Endpoint("http", 'x" or Port != "0', 80),)}, "cannot be called"),
        ({"endpoints": (Endpoint("http", "10.0.0.999", 80),)}, "cannot be called"),
        ({"instance_id": "a/../b"}, "the id 'a/../b' is none"),
        ({"weight": 0}, "the weight is 0"),
        ({"tenants": ("acme,globex",)}, "holds a comma"),
        ({"workflows": (OfferedWorkflow("", "Checkout"),)}, "task queue ''"),
        ({"health_check": HttpCheck(path="http://elsewhere/healthz")}, "holds a host"),
        ({"health_check": HttpCheck(path="//elsewhere/healthz")}, "holds a host"),
        ({"health_check": HttpCheck(path="healthz")}, "does not begin with a slash"),
        ({"health_check": HttpCheck(path="/a\r\nHost: b")}, "characters that no path has"),
        ({"health_check": HttpCheck(endpoint="grpc")}, "an endpoint 'grpc' that there is not"),
        ({"health_check": HttpCheck(interval_seconds=0.1)}, "interval_seconds is 0.1"),
        ({"health_check": HttpCheck(interval_seconds=2, timeout_seconds=3)}, "timeout_seconds is 3"),
        ({"health_check": HttpCheck(deregister_after_seconds=30)}, "at least 60"),
        ({"health_check": GrpcCheck(service="a/b")}, "gRPC service 'a/b'"),
        ({"health_check": TtlCheck(ttl_seconds=0)}, "ttl_seconds is 0"),
    ],
)
def test_a_wrong_registration_is_refused_with_its_reason(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(RegistrationRefused, match=why):
        check_registration(made(**changed))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(RegistrationRefused) as refused:
        check_registration(made(weight=0, health_check=TtlCheck(ttl_seconds=0)))
    assert "weight" in str(refused.value)
    assert "ttl_seconds" in str(refused.value)


def test_ids_are_derived_from_release_and_place() -> None:
    assert made(release="9f2c01ab").id == "cart-9f2c01ab-10-0-0-7-8080"
    assert made(endpoints=(Endpoint("http", "fd00::7", 80),)).id == "cart-fd00-7-80"
    check_registration(made(endpoints=(Endpoint("http", "fd00::7", 80),)))


def test_an_instance_is_found_as_it_was_registered() -> None:
    config = ServiceConfig(
        scaling=Autoscaling(min_replicas=2, max_replicas=9),
        resources=Resources(
            requests=ResourceAmounts(cpu="1", memory="1Gi"), limits=ResourceAmounts(cpu="2", memory="2Gi")
        ),
        dependencies=("currency",),
        feature_flags=("express-checkout", "gift"),
    )
    offers = (OfferedWorkflow("cart", "Checkout"), OfferedWorkflow("cart", "Refund"), OfferedWorkflow("activities"))
    tenants = tuple(f"tenant-{number:03}" for number in range(120))  # more than one value of a registry can hold
    asked = made(
        release="9f2c01ab",
        commit="a" * 40,
        tenants=tenants,
        weight=7,
        workflows=offers,
        config=config,
        endpoints=(HTTP, Endpoint("grpc", "fd00::7", 9090)),
    )

    meta = metadata_of(asked)
    found = instance_of(instance_id=asked.id, name="cart", address="10.0.0.7", port=8080, meta=meta)

    assert meta["task_queues"] == "cart,activities"
    assert max(map(len, meta.values())) <= LONGEST_VALUE_CHARACTERS
    assert (found.version, found.release, found.commit, found.weight) == ("1.4.2", "9f2c01ab", "a" * 40, 7)
    assert (found.tenants, found.workflows, found.config) == (tenants, offers, config)
    assert found.endpoints == asked.endpoints
    assert found.task_queue_of("Refund") == "cart"


def test_what_others_have_written_does_not_break_a_look_up() -> None:
    meta = {"weight": "many", "workflows": "no-queue", "scaling": "{", "endpoints": "x/y", "resources": "[]"}
    found = instance_of(instance_id="i", name="cart", address="10.0.0.7", port=80, meta=meta)
    assert (found.weight, found.workflows, found.config) == (1, (), ServiceConfig())
    assert [str(one) for one in found.endpoints] == ["10.0.0.7:80"]


def test_more_than_a_registry_can_keep_is_refused() -> None:
    with pytest.raises(RegistrationRefused, match="tenants too long"):
        metadata_of(made(tenants=("t" * 513,)))
