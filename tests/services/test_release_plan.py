"""Which services change their release in a rollout, and what else is there meanwhile."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from policies.desired_state import DesiredState
from policies.services.releases import release_id
from policies.services.spec import AnalysisRules, Delivery, DeliveryStep, SuccessRateRule
from tests.support.desired import AUTOSCALED, desired_state, platform_unit, service_spec, service_unit
from workflows.services.models import ReleaseChange, Shift
from workflows.services.release_plan import changed_gateways, inputs_of, needed_instances, release_stages, side_by_side

CANARY = Delivery(
    strategy="canary",
    gateway="caddy",
    steps=(DeliveryStep(weight_percent=5, bake_seconds=60),),
    bake_seconds=30,
    mirror_percent=10,
    analysis=AnalysisRules(interval_seconds=15, success_rate=SuccessRateRule(worse_by_percent=1)),
)


def state(**services: dict[str, object]) -> DesiredState:
    """The platform and these services, all with a delivery unless they say otherwise."""
    specs = [
        service_spec(name, **({"delivery": CANARY, "dependencies": ()} | fields)) for name, fields in services.items()
    ]
    return desired_state("test", platform_unit("test"), *(service_unit(spec=spec) for spec in specs))


def changes(
    base: DesiredState | None, new: DesiredState, *names: str, is_rollback: bool = False
) -> list[ReleaseChange]:
    """What happens, dependencies first."""
    both = side_by_side(new, base, names)
    return [one for stage in release_stages(both, base, names, is_rollback=is_rollback) for one in stage]


def test_dependencies_change_first_and_step_by_step() -> None:
    """Each as its delivery says."""
    old = state(cart={"version": "v1.0.0"}, web={"version": "v1.0.0", "dependencies": ("cart",)})
    new = state(cart={"version": "v1.1.0"}, web={"version": "v1.1.0", "dependencies": ("cart",)})

    cart, web = changes(old, new, "web", "cart")

    assert (cart.service, web.service) == ("cart", "web")
    assert cart.shifts == (Shift(5, 60), Shift(100, 30))
    assert (cart.blue, cart.green) == (release_id(inputs_of(old, "cart")), release_id(inputs_of(new, "cart")))
    assert (cart.name, cart.registered_name) == ("cart v1.0.0 → v1.1.0", "test--cart")
    assert (cart.mirror_percent, cart.interval_seconds) == (10, 15)


def test_a_change_carries_all_that_its_steps_are_made_of() -> None:
    """Of the new release its version and its patience, of the delivery everything else."""
    old = state(cart={"version": "v1.0.0"})
    new = state(cart={"version": "v1.1.0"})
    (cart,) = changes(old, new, "cart")
    (back,) = changes(old, new, "cart", is_rollback=True)
    (first,) = changes(None, new, "cart")

    assert cart == ReleaseChange(
        service="cart",
        registered_name="test--cart",
        gateway="caddy",
        blue=release_id(inputs_of(old, "cart")),
        green=release_id(inputs_of(new, "cart")),
        blue_version="v1.0.0",
        green_version="v1.1.0",
        shifts=(Shift(5, 60), Shift(100, 30)),
        mirror_percent=10,
        mirror_seconds=30,
        interval_seconds=15,
        ready_timeout_seconds=120,  # of the units that are made here
        keep_blue_seconds=600,
        drain_seconds=15,
    )
    assert back == dataclasses.replace(cart, shifts=(Shift(100),), mirror_percent=0, interval_seconds=0)
    assert first == dataclasses.replace(back, blue="", blue_version="", keep_blue_seconds=0, drain_seconds=0)


@pytest.mark.parametrize(("side", "blue", "green"), [(0, "", "release"), (1, "release", "")])
def test_pods_without_delivery_are_told_apart_by_no_gateway(side: int, blue: str, green: str) -> None:
    """So the way to and from a delivery is one step, and nobody is kept to go back to; requests still drain."""
    sides = [state(cart={"delivery": None}), state(cart={})]
    old, new = sides[side], sides[1 - side]
    (cart,) = changes(old, new, "cart")

    ids = {"release": release_id(inputs_of(sides[1], "cart")), "": ""}
    assert (cart.blue, cart.green) == (ids[blue], ids[green])
    assert (cart.shifts, cart.mirror_percent, cart.interval_seconds) == ((Shift(100),), 0, 0)
    assert (cart.keep_blue_seconds, cart.drain_seconds) == (0, 15)


def test_a_service_that_no_gateway_must_be_told_of_is_not_in_a_stage() -> None:
    """Given no other release, only our own gateway is told anew; what is not asked about is left alone."""
    selector = msgspec.structs.replace(CANARY, gateway="selector", steps=())
    old = state(cart={}, web={"delivery": selector}, mail={"delivery": None}, ads={})
    new = state(
        cart={"replicas": 3}, web={"replicas": 3, "delivery": selector}, mail={"delivery": None}, ads={"replicas": 3}
    )

    assert [one.service for one in changes(old, new, "cart", "web", "mail")] == ["cart"]


def test_a_release_needs_the_instances_that_it_starts_with() -> None:
    """At least one, also where none is declared."""
    units = state(
        fixed={"replicas": 3},
        scaled={"replicas": None, "autoscaling": AUTOSCALED},
        none={"replicas": 0},
        unsaid={"replicas": None},
    )

    needed = {name: needed_instances(inputs_of(units, name)) for name in ("fixed", "scaled", "none", "unsaid")}
    assert needed == {"fixed": 3, "scaled": AUTOSCALED.min_replicas, "none": 1, "unsaid": 1}


def test_whoever_rolls_back_waits_for_no_bake() -> None:
    """The release was there before; the one to leave is the bad one. It may be switched back all the same."""
    old, new = state(cart={"version": "v1.1.0"}), state(cart={"version": "v1.0.0"})
    (cart,) = changes(old, new, "cart", is_rollback=True)

    assert cart.shifts == (Shift(100),)
    assert (cart.mirror_percent, cart.interval_seconds) == (0, 0)
    assert cart.keep_blue_seconds > 0


def test_a_service_that_keeps_its_release_keeps_its_requests() -> None:
    """More pods: the gateway is told the same again, and a restore tells it no other."""
    old, new = state(cart={"replicas": 2}), state(cart={"replicas": 3})
    (cart,) = changes(old, new, "cart")

    assert cart.blue == cart.green != ""
    assert (cart.shifts, cart.keep_blue_seconds, cart.name) == ((Shift(100),), 0, "cart v1.2.3")


def test_a_new_service_has_no_blue() -> None:
    """Nothing to go back to, nothing to compare with."""
    (cart,) = changes(state(), state(cart={}), "cart")

    assert (cart.blue, cart.shifts, cart.drain_seconds) == ("", (Shift(100),), 0)


def test_what_the_old_releases_call_stays_until_they_are_gone() -> None:
    """A service that is removed in the same merge; and on the way back one that came with it."""
    old = state(cart={"version": "v1.0.0"}, legacy={})
    new = state(cart={"version": "v1.1.0"}, fresh={})

    there, back = side_by_side(new, old, ["cart", "fresh"]), side_by_side(old, new, ["cart", "fresh"])

    names = ["platform", "service/cart", "service/fresh", "service/legacy"]
    assert [unit.id for unit in there.units] == [unit.id for unit in back.units] == names
    assert inputs_of(there, "cart").transition is not None


def test_a_service_that_is_not_there_is_a_key_error() -> None:
    """And not the end of an iteration, which a coroutine turns into something else."""
    with pytest.raises(KeyError):
        inputs_of(state(), "cart")


def test_another_gateway_is_seen() -> None:
    """Where both states have a delivery."""
    other = Delivery(strategy="blue-green", gateway="selector")
    old, new = state(cart={}, web={}), state(cart={"delivery": other}, web={"delivery": None})

    assert changed_gateways(old, new) == {"cart": ("caddy", "selector")}
    assert changed_gateways(None, new) == changed_gateways(new, new) == {}
