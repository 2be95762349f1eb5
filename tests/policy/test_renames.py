"""A unit that goes and one that comes are the same thing under another name, or they are not."""

from __future__ import annotations

import msgspec

from policies.change_set import diff
from policies.desired_state import Unit
from policies.renames import recreations, renames
from policies.tenancy.spec import Database
from tests.preview.examples import state
from tests.support.desired import service_spec, service_unit, tenant_unit, unit


def found(before: list[Unit], after: list[Unit]) -> list[tuple[str, str]]:
    """The pairs that are found between two sets of units."""
    return [(one.before, one.after) for one in renames(diff(state(*before), state(*after)))]


def tenant(name: str, schema: str, title: str, **changes: object) -> Unit:
    """A tenant with a database of its own."""
    database = Database(engine="postgresql", name="shop", schema=schema)
    return tenant_unit("staging", name, database=database, display_name=title, **changes)


def test_a_tenant_under_another_name_is_named_as_what_it_does() -> None:
    """Nothing moves: the namespace goes, an empty one comes."""
    (one,) = renames(diff(state(tenant("acme", "acme", "Acme")), state(tenant("acme-eu", "acme_eu", "Acme"))))

    assert (one.before, one.after) == ("tenant/acme", "tenant/acme-eu")
    assert one.why == (
        "equal but for the name; deletes namespace staging-acme with everything in it and creates staging-acme-eu empty"
    )


def test_tenants_with_the_same_database_are_the_same() -> None:
    """Even where everything else differs."""
    before = tenant("acme", "acme", "Acme")
    after = tenant("apex", "acme", "Apex", owner="else@example.com", flags={})

    assert found([before], [after]) == [("tenant/acme", "tenant/apex")]


def test_tenants_with_the_same_title_and_owner_are_the_same() -> None:
    """Even in another database."""
    before, after = tenant("acme", "one", "Acme"), tenant("apex", "two", "Acme", flags={})

    assert found([before], [after]) == [("tenant/acme", "tenant/apex")]


def test_tenants_that_share_only_their_plan_are_different_ones() -> None:
    """One customer leaves, another comes."""
    assert found([tenant("acme", "acme", "Acme")], [tenant("globex", "globex", "Globex")]) == []


def test_tenants_of_one_shared_schema_are_not_told_by_it() -> None:
    """All of them live in it."""
    shared = {"isolation_strategy": "shared_schema"}
    before, after = tenant("acme", "all", "Acme", **shared), tenant("globex", "all", "Globex", **shared)

    assert found([before], [after]) == []


def test_a_service_under_another_name_is_found_although_its_version_changes_too() -> None:
    """Its image, named like it, is the same; one other field may differ."""
    before = service_unit("staging", service_spec("cart"), LEVEL="info")
    spec = service_spec("basket", image="registry.example/shop/basket", version="v2")
    (one,) = renames(diff(state(before), state(service_unit("staging", spec, LEVEL="info"))))

    assert (one.before, one.after) == ("service/cart", "service/basket")
    assert "whoever still calls cart finds nothing" in one.why


def test_services_of_different_images_are_different_ones() -> None:
    """Equal figures prove nothing."""
    before, after = service_spec("cart", image="example/a"), service_spec("search", image="example/b")

    assert found([service_unit("staging", before)], [service_unit("staging", after)]) == []


def test_a_changed_unit_is_no_rename() -> None:
    """Only what goes and comes."""
    assert found([tenant("acme", "acme", "Acme")], [tenant("acme", "acme", "Acme & Co")]) == []


def test_ambiguous_units_are_paired_in_order_and_once() -> None:
    """Three equal ones go, two come."""
    before = [tenant(name, "same", "Same") for name in ("c", "a", "b")]
    after = [tenant(name, "same", "Same") for name in ("y", "x")]

    assert found(before, after) == [("tenant/a", "tenant/x"), ("tenant/b", "tenant/y")]


def test_the_stronger_clue_wins() -> None:
    """A tenant that is equal but for the name is preferred to one with the same title only."""
    before = tenant("acme", "acme", "Acme")
    other = tenant("aaa", "elsewhere", "Acme")
    same = tenant("zzz", "zzz", "Acme")

    assert found([before], [other, same]) == [("tenant/acme", "tenant/zzz")]


def test_a_thousand_renames_are_matched_by_their_digests(monkeypatch) -> None:
    """The work grows with the number of units, not with its square."""
    import policies.renames as module

    counted = []
    whole = module.digest_of
    monkeypatch.setattr(module, "digest_of", lambda value: counted.append(1) or whole(value))
    before = [tenant(f"old-{number}", f"s{number}", f"Tenant {number}") for number in range(1_000)]
    after = [
        msgspec.structs.replace(unit, id=f"tenant/new-{number}", inputs=_named(unit, f"new-{number}"))
        for number, unit in enumerate(before)
    ]

    assert len(found(before, after)) == 1_000
    assert len(counted) <= 2_000


def _named(unit: Unit, name: str):
    return msgspec.structs.replace(unit.inputs, name=name, namespace=f"staging-{name}")


def test_tenants_that_would_be_created_anew_are_found_and_services_are_not() -> None:
    """Whoever renames a service loses nothing that the new one does not bring."""
    before = [tenant("acme", "acme", "Acme"), service_unit("staging", service_spec("cart"))]
    spec = service_spec("basket", image="registry.example/shop/basket")
    after = [tenant("acme-eu", "acme_eu", "Acme"), service_unit("staging", spec)]
    change_set = diff(state(*before), state(*after))

    assert [one.before for one in renames(change_set)] == ["service/cart", "tenant/acme"]
    assert [(one.before, one.after) for one in recreations(change_set)] == [("tenant/acme", "tenant/acme-eu")]


def test_a_tenant_that_keeps_its_namespace_is_not_created_anew() -> None:
    """Whatever else changes of it; another namespace is another place."""
    before, after = tenant("acme", "acme", "Acme"), tenant("acme", "other", "Acme & Co", owner="else@example.com")
    moved = unit(after.id, msgspec.structs.replace(after.inputs, namespace="staging-elsewhere"))

    assert recreations(diff(state(before), state(after))) == ()
    (one,) = recreations(diff(state(before), state(moved)))
    assert (one.before, one.after) == ("tenant/acme", "tenant/acme")
    assert "deletes namespace staging-acme with everything in it and creates staging-elsewhere empty" in one.why
