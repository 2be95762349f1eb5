"""Which release a service's inputs are, and states in which one release takes over from another."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from infra.components.workload import pod_template
from policies.configuration.spec import ValueSchema
from policies.desired_state import DesiredState, ServiceInputs, Unit, digest_of
from policies.services.releases import (
    at_weight,
    both_releases,
    delivery_of,
    has_delivery,
    in_transition,
    newest_workloads,
    release_id,
    release_units,
    serving,
    split_of,
    with_transitions,
    workload_name,
)
from policies.services.spec import (
    ConfigurationNeed,
    Delivery,
    DeliveryStep,
    Port,
    Probes,
    ResourceAmounts,
    Resources,
    ServiceSpec,
    Stickiness,
    TopologySpread,
)
from policies.services.spec import Testers as TesterRules
from tests.support.desired import AUTOSCALED, desired_state, platform_unit, service_spec, service_unit
from tests.support.strategies import property_of

CANARY = Delivery(
    strategy="canary",
    gateway="caddy",
    steps=(DeliveryStep(weight_percent=5, bake_seconds=60),),
    testers=TesterRules(header="x-adx-release", value="green"),
    stickiness=Stickiness(cookie="adx-release"),
    mirror_percent=10,
)
AMOUNTS = ResourceAmounts(cpu="1", memory="1Gi")
# Of each field of a service, another value than service_spec() has.
OTHER: dict[str, Any] = {
    "description": "Another text.",
    "owner": "team-other",
    "image": "registry.example/shop/other",
    "version": "v1.2.4",
    "image_digest": "sha256:" + "0" * 64,
    "resources": Resources(requests=AMOUNTS, limits=AMOUNTS),
    "replicas": 5,
    "autoscaling": AUTOSCALED,
    "ports": (Port(name="grpc", port=7071, target_port=7070), Port(name="http", port=80, target_port=8080)),
    "probes": Probes(),
    "dependencies": ("payment",),
    "feature_flags": ("new-checkout", "other"),
    "configuration": (ConfigurationNeed(key="LOG_LEVEL", description="Another text.", schema=ValueSchema()),),
    "env": {"REDIS_ADDR": "other:6379"},
    "writable_paths": ("/tmp",),
    "topology_spread": (TopologySpread(topology_key="zone"),),
    "min_available": 1,
    "max_unavailable": 2,
    "ready_timeout_seconds": 77,
    "schema_versions": {"shop": 3},
    "semantic_version": "1.2.4",
    "dependency_versions": {"payment": "^1"},
    "allow_downgrade": "It loses carts.",
    "serves_api_versions": ("v1",),
    "api_versions": {"payment": ("v1",)},
    "delivery": msgspec.structs.replace(CANARY, gateway="gateway-api", bake_seconds=1),
}
STAYING = {"name"}


def cart(delivery: Delivery | None = CANARY, **changes: Any) -> Unit:
    """The service ``cart``."""
    return service_unit("test", service_spec(delivery=delivery, **changes), LOG_LEVEL="info")


def state_of(*units: Unit) -> DesiredState:
    """A state with ``units`` and a platform."""
    return desired_state("test", platform_unit(), *units)


def inputs_of(state: DesiredState, name: str = "cart") -> ServiceInputs:
    """The inputs of a service of ``state``."""
    inputs = state.by_id()[f"service/{name}"].inputs
    assert isinstance(inputs, ServiceInputs)
    return inputs


def in_between(weight_percent: int = 0, **options: Any) -> DesiredState:
    """Version 2 taking over from version 1."""
    begun = with_transitions(state_of(cart(version="v2")), state_of(cart(version="v1")), ["cart"])
    return at_weight(begun, "cart", weight_percent, **options)


def template(unit: Unit) -> dict[str, Any]:
    """The pods, but for the name of the release that they carry."""
    inputs = unit.inputs
    assert isinstance(inputs, ServiceInputs)
    bare = msgspec.structs.replace(inputs, service=msgspec.structs.replace(inputs.service, delivery=None))
    return pod_template(msgspec.structs.replace(unit, inputs=bare), bare)


def test_services_without_delivery_have_the_digests_that_they_always_had() -> None:
    """Given services as they were declared before there was delivery, what was delivered of them is still the same."""
    autoscaled = service_spec(replicas=None, autoscaling=AUTOSCALED, min_available=1)

    assert service_unit().digest == "5597683f4bd36eabc69607a29ddf47c138f8c5aab3dec1d057d8100a627e66af"
    assert (
        service_unit("test", autoscaled, LOG_LEVEL="info", TRACING=True).digest
        == "3ae5b62f20bfd993abe839e784d35ebbbff7ce4828cd0dfa951f779e716ec30a"
    )
    assert digest_of(desired_state("test")) == "c701faa78a73e1682fa3db3a36da673df186fc77d89d277cecd59449980bece7"


def test_a_release_keeps_its_id_for_good() -> None:
    """Given services as they were declared before, the ids are those that they had.

    Another id is another Deployment: an upgrade of ADX would exchange the pods of every service.
    """
    rich = cart(**{"delivery": CANARY} | OTHER)

    assert [release_id(inputs_of(state_of(unit))) for unit in (cart(), cart(None), rich)] == [
        "6a7fa6dc",
        "5256b645",
        "1aa04853",
    ]


@pytest.mark.parametrize("name", sorted(OTHER))
def test_each_field_makes_another_release_exactly_where_it_makes_other_pods(name: str) -> None:
    """Given another value of one field, the release is another one if the pods are."""
    before, after = cart(), cart(**{"delivery": CANARY} | {name: OTHER[name]})

    ids = [release_id(inputs_of(state_of(unit))) for unit in (before, after)]
    assert (ids[0] == ids[1]) is (template(before) == template(after))


@property_of(st.sets(st.sampled_from(sorted(OTHER)), max_size=4))
def test_another_release_is_what_has_other_pods(changed: set[str]) -> None:
    """For any changes of a service, it is another release exactly when its pods would be made of something else."""
    before, after = cart(), cart(**{"delivery": CANARY} | {name: OTHER[name] for name in changed})

    assert isinstance(before.inputs, ServiceInputs)
    assert isinstance(after.inputs, ServiceInputs)
    is_same = template(before) == template(after)
    assert (release_id(before.inputs) == release_id(after.inputs)) is is_same


def test_every_field_of_a_service_is_tried() -> None:
    """A field that is added to a service is added here, and so judged whether it makes a release."""
    assert OTHER.keys() | STAYING == set(ServiceSpec.__struct_fields__)


def test_values_make_a_release_wherever_they_come_from() -> None:
    """Given another value, it is another release; given the same one as a default of the service's, it is not."""
    spec = service_spec(delivery=CANARY, configuration=(ConfigurationNeed(key="LOG_LEVEL", default="info"),))
    by_default = service_unit("test", spec)
    info, debug = (service_unit("test", spec, LOG_LEVEL=level) for level in ("info", "debug"))
    ids = [release_id(unit.inputs) for unit in (by_default, info, debug) if isinstance(unit.inputs, ServiceInputs)]

    assert ids[0] == ids[1] != ids[2]


def test_a_release_is_8_hexadecimal_digits_whatever_the_way_of_its_inputs() -> None:
    """Given inputs that were stored and read again, and that are in a transition, the id is the same."""
    inputs = inputs_of(in_between(5))
    read = msgspec.json.decode(msgspec.json.encode(inputs), type=ServiceInputs)

    assert release_id(read) == release_id(inputs) == release_id(inputs_of(state_of(cart(version="v2"))))
    assert len(bytes.fromhex(release_id(read))) == 4


def test_both_releases_have_a_workload_the_new_one_first() -> None:
    """Given a new version, its Deployment stands beside the old one's."""
    old, new = state_of(cart(version="v1")), state_of(cart(version="v2"))
    names = [workload_name(one) for one in both_releases(inputs_of(in_between(50)))]

    assert names == [workload_name(inputs_of(new)), workload_name(inputs_of(old))]
    assert len(set(names)) == 2


def test_only_new_releases_get_a_transition() -> None:
    """Given new pods, scaling, a service that is new and one that is not asked about, only the new pods run twice."""
    base = state_of(cart(version="v1"), service_unit("test", service_spec("stock", delivery=CANARY, replicas=1)))
    state = state_of(
        cart(version="v2"),
        service_unit("test", service_spec("stock", delivery=CANARY, replicas=2)),
        service_unit("test", service_spec("mail", delivery=CANARY)),
    )

    assert in_transition(with_transitions(state, base, ["cart", "stock", "mail", "gone"])) == ("cart",)
    assert with_transitions(state, base, ["stock"]) == state


@pytest.mark.parametrize(
    ("before", "after"), [(None, CANARY), (CANARY, None)], ids=["delivery declared", "delivery taken out"]
)
def test_the_way_to_and_from_delivery_is_a_transition_too(before: Delivery | None, after: Delivery | None) -> None:
    """Given the same version with and without delivery, its pods move to another Deployment, with both for a while."""
    state = with_transitions(state_of(cart(after)), state_of(cart(before)), ["cart"])

    assert in_transition(state) == ("cart",)
    assert "cart" in map(workload_name, both_releases(inputs_of(state)))
    assert in_transition(with_transitions(state_of(cart(None, version="v2")), state_of(cart(None)), ["cart"])) == ()


def test_a_state_names_the_newest_workload_of_each_service() -> None:
    """Given a transition and a service without delivery, the new release's Deployment and the one of its own name."""
    new = state_of(cart(version="v2"))
    state = state_of(in_between(5).by_id()["service/cart"], service_unit("test", service_spec("mail")))

    assert newest_workloads(state) == {"cart": workload_name(inputs_of(new)), "mail": "mail"}


def test_each_release_is_a_unit_with_the_commit_that_brought_it() -> None:
    """Given a transition, the new one comes first; given none, the unit is as it is."""
    old, new = cart(version="v1"), cart(version="v2")
    base, state = state_of(msgspec.structs.replace(old, commit="c0")), state_of(new)
    both = with_transitions(state, base, ["cart"]).by_id()["service/cart"]
    assert isinstance(both.inputs, ServiceInputs)

    assert [unit for unit, _ in release_units(both, both.inputs)] == [new, msgspec.structs.replace(old, commit="c0")]
    assert all(unit.inputs is inputs for unit, inputs in release_units(both, both.inputs))
    assert release_units(new, inputs_of(state)) == ((new, new.inputs),)


def test_a_transition_follows_the_new_rules_and_where_there_are_none_the_old() -> None:
    """Given no rules on either side, there is nothing to follow, and that is said."""
    other = msgspec.structs.replace(CANARY, bake_seconds=7, stickiness=Stickiness(header="x-user"))
    changed = inputs_of(with_transitions(state_of(cart(other, version="v2")), state_of(cart()), ["cart"]))
    taken_out = inputs_of(with_transitions(state_of(cart(None)), state_of(cart()), ["cart"]))
    without = inputs_of(state_of(cart(None)))

    assert (delivery_of(changed), delivery_of(taken_out)) == (other, CANARY)
    assert split_of(changed).to_gateway_json()["sticky"] == {"header": "x-user"}
    assert split_of(inputs_of(state_of(cart(other)))).to_gateway_json()["sticky"] == {"header": "x-user"}
    assert [has_delivery(one) for one in (changed, taken_out, without)] == [True, True, False]
    with pytest.raises(ValueError, match="cart has no delivery"):
        delivery_of(without)


def test_a_state_says_who_serves() -> None:
    """Given a share of less than all, the old release serves; with all of it, the new one."""
    old, new = state_of(cart(version="v1")), state_of(cart(version="v2"))

    assert [serving(inputs_of(in_between(percent))) for percent in (0, 99)] == [inputs_of(old)] * 2
    assert serving(inputs_of(in_between(100))) == serving(inputs_of(new)) == inputs_of(new)


def test_what_begins_in_the_middle_of_a_transition_replaces_who_serves() -> None:
    """Given a third version while the second has 50 %, it takes over from the first, with its commit."""
    third = state_of(cart(version="v3"))
    again = inputs_of(with_transitions(third, in_between(50), ["cart"]))
    after_all = inputs_of(with_transitions(third, in_between(100), ["cart"]))

    assert again.transition is not None
    assert after_all.transition is not None
    assert again.transition.previous.service.version == "v1"
    assert after_all.transition.previous == inputs_of(state_of(cart(version="v2")))
    assert again.transition.commit == in_between().by_id()["service/cart"].commit


@property_of(st.integers(0, 100), st.booleans())
def test_states_in_transition_are_states_like_any(percent: int, is_mirrored: bool) -> None:
    """For any share: digests are those of the inputs, nothing else changes, and the split has the declared rules."""
    state = in_between(percent, is_mirrored=is_mirrored)
    read = msgspec.json.decode(msgspec.json.encode(state), type=DesiredState)

    assert read == state
    assert all(unit.digest == digest_of(unit.inputs) for unit in state.units)
    assert [unit for unit in state.units if unit.id != "service/cart"] == [platform_unit()]
    split = split_of(inputs_of(state)).to_gateway_json()
    assert split["releases"][release_id(inputs_of(state))] == percent
    assert split["sticky"] == {"cookie": "adx-release"}
    assert split["testers"]["release"] == release_id(inputs_of(state))
    assert (split["mirror"] is not None) is (is_mirrored and percent < 100)


def test_weights_that_cannot_be_given_are_refused() -> None:
    """Given no second release, no share, or a selector that cannot divide, the reason is said."""
    by_selector = Delivery(strategy="blue-green", gateway="selector")
    divided = with_transitions(
        state_of(cart(by_selector, version="v2")), state_of(cart(by_selector, version="v1")), ["cart"]
    )

    for name in ("cart", "mail"):
        with pytest.raises(ValueError, match=f"{name} has no two releases in test"):
            at_weight(state_of(cart()), name, 5)
    for percent in (-1, 101):
        with pytest.raises(ValueError, match=f"{percent} % of its requests; write 0 to 100"):
            at_weight(in_between(), "cart", percent)
    with pytest.raises(ValueError, match="all requests or none"):
        at_weight(divided, "cart", 50)
    assert serving(inputs_of(at_weight(divided, "cart", 100))).service.version == "v2"
