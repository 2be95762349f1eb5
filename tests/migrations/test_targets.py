"""Which databases an environment has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.desired_state import DesiredState, resolve
from policies.migrations.spec import DatabaseTarget, MigrationsSpec
from policies.migrations.targets import changed_targets, targets_of, unapplied, written_for
from policies.tenancy.spec import Database
from tests.migrations.scripts import scripts_of
from tests.support.declared import base_documents, declarations
from workflows.migrations.finding import joined


def state(version: int = 2, server: str = "shop-eu", **changes: Any) -> DesiredState:
    """The base environment with a database of each kind; ``changes`` by tenant are its isolation and database."""
    declared = declarations(base_documents())
    spec = MigrationsSpec(
        environment="production",
        databases=(
            DatabaseTarget(name="shop", engine="postgresql", version=version, server=server),
            DatabaseTarget(name="cat-alog", engine="mysql", version=1, used_by="platform", server="core"),
        ),
    )
    environments = {
        name: msgspec.structs.replace(one, migrations=spec) if name == "production" else one
        for name, one in declared.environments.items()
    }
    tenants = {
        name: msgspec.structs.replace(one, environments=("production",)) for name, one in declared.tenants.items()
    }
    for name, (isolation, database) in changes.items():
        tenants[name] = msgspec.structs.replace(tenants[name], isolation_strategy=isolation, database=database)
    whole = msgspec.structs.replace(declared, environments=environments, tenants=tenants)
    return resolve(whole, "production", "c" * 40)


OWN = ("database_per_tenant", Database(engine="postgresql", name="globex"))
SHARED = ("shared_schema", Database(engine="postgresql", name="shop", schema="starter"))


def test_isolation_decides_database_and_schema() -> None:
    """Own schema, own database, shared by two."""
    assert set(targets_of(state(acme=SHARED, globex=OWN))) == {
        "core/cat_alog",
        "shop-eu/shop/starter",
        "shop-eu/globex/public",
    }
    both = targets_of(state(acme=SHARED, globex=SHARED))["shop-eu/shop/starter"]
    assert both.tenants == ("acme", "globex")


def test_only_what_gets_another_version_or_is_new_is_changed() -> None:
    """A tenant that moves is new where it comes to; where it was stays as it is."""
    before = state(acme=SHARED, globex=OWN)
    assert changed_targets(before, before) == ()
    raised = changed_targets(before, state(3, acme=SHARED, globex=OWN))
    assert {(one.id, one.from_version, one.to_version, one.is_new) for one in raised} == {
        ("shop-eu/shop/starter", 2, 3, False),
        ("shop-eu/globex/public", 2, 3, False),
    }
    elsewhere = ("database_per_tenant", Database(engine="postgresql", name="acme"))
    (moved,) = changed_targets(before, state(acme=elsewhere, globex=OWN))
    assert (moved.id, moved.from_version, moved.is_new) == ("shop-eu/acme/public", 0, True)
    assert all(one.is_new for one in changed_targets(None, before))


def test_a_version_without_a_server_is_applied_by_nobody_and_named() -> None:
    """So that a rollout can say so."""
    before, after = state(server=""), state(3, server="")
    assert "shop-eu/shop" not in " ".join(targets_of(after))
    assert unapplied(before, after) == ("shop 3",)
    assert unapplied(before, before) == ()
    assert unapplied(None, state()) == ()


@pytest.mark.parametrize("server", ["", "shop-eu"])
def test_a_server_changes_no_digest_where_none_is_named(server: str) -> None:
    """Environments that were delivered before are not delivered anew."""
    encoded = msgspec.json.encode(state(server=server).by_id()["tenant/acme"].inputs)
    assert (b'"server"' in encoded) == bool(server)


def test_services_say_what_they_are_written_for() -> None:
    """By database; who says nothing does not use it."""
    declared = state()
    assert written_for(declared, "shop") == {}
    assert written_for(None, "shop") == {}


def test_the_delivered_commit_decides_and_the_older_one_only_adds_what_it_lacks() -> None:
    """A script that was never applied may be rewritten; what a rollback takes back is in the older commit alone."""
    create, add = ("CREATE TABLE a (x int)", "DROP TABLE a"), ("ALTER TABLE a ADD y int", "ALTER TABLE a DROP y")
    new = scripts_of("postgresql", create, ("SELECT 1", "SELECT 2"))
    old = scripts_of("postgresql", create, add, add)
    found = joined([new, old])
    assert [one.up.text for one in found.migrations] == ["CREATE TABLE a (x int)", "SELECT 1", add[0]]
    assert joined([old, new]) == old
