"""What must hold of migrations.yaml beside its shape, and how a version reaches the units."""

from __future__ import annotations

import msgspec

from policies import rules
from policies.change_set import diff
from policies.declarations import Declarations
from policies.desired_state import resolve
from policies.migrations.spec import DatabaseTarget, MigrationsSpec
from tests.migrations.scripts import scripts_of
from tests.support.declared import base_documents, declarations

ENVIRONMENT = "development"
SHOP = scripts_of(
    "postgresql", ("CREATE TABLE a (id int)", "DROP TABLE a"), ("CREATE TABLE b (id int)", "DROP TABLE b")
)


def declared(*databases: DatabaseTarget, environment: str = ENVIRONMENT, has_scripts: bool = True) -> Declarations:
    """The base declarations with these databases in one environment."""
    base = declarations(base_documents())
    migrations = MigrationsSpec(environment=environment, databases=databases)
    changed = msgspec.structs.replace(base.environments[ENVIRONMENT], migrations=migrations)
    return msgspec.structs.replace(
        base,
        environments={**base.environments, ENVIRONMENT: changed},
        databases={"shop": SHOP} if has_scripts else {},
    )


def found(declarations: Declarations) -> list[tuple[str, str, str, str]]:
    """Rule, path, what and fix of every problem."""
    return [(one.rule, one.path, one.what, one.fix) for one in rules.check(declarations, lambda file, path: (1, 1))]


def target(name: str = "shop", **fields: object) -> DatabaseTarget:
    """A target at version 2, changed by ``fields``."""
    return msgspec.convert({"name": name, "engine": "postgresql", "version": 2, **fields}, DatabaseTarget)


def test_a_version_that_has_a_script_is_accepted() -> None:
    """From 0, which is none, to the newest."""
    for version in (0, 1, 2):
        assert found(declared(target(version=version))) == []


def test_a_version_without_a_script_is_refused_with_the_newest() -> None:
    """Somebody forgot to commit the script."""
    ((rule, path, what, fix),) = found(declared(target(version=3)))
    assert (rule, path) == ("migrations.version-exists", "databases[0].version")
    assert "its newest is 2" in what
    assert "write 2" in fix


def test_a_database_without_scripts_is_refused_with_the_nearest_name() -> None:
    """A slip of the pen is named as one."""
    ((rule, path, _, fix),) = found(declared(target("shopp")))
    assert (rule, path) == ("migrations.version-exists", "databases[0].name")
    assert "write shop" in fix


def test_another_engine_than_that_of_the_scripts_is_refused() -> None:
    """The scripts would not run there."""
    ((rule, path, what, _),) = found(declared(target(engine="mysql")))
    assert (rule, path) == ("migrations.version-exists", "databases[0].engine")
    assert "for postgresql" in what


def test_a_document_of_another_environment_is_refused() -> None:
    """It was copied and not changed."""
    ((rule, path, _, fix),) = found(declared(target(), environment="production"))
    assert (rule, path, fix) == ("migrations.environment-matches-folder", "environment", f"write {ENVIRONMENT}")


def test_two_versions_of_one_database_are_refused() -> None:
    """Which of the two would hold?"""
    rules_found = {one[0] for one in found(declared(target(version=1), target(version=2, used_by="platform")))}
    assert rules_found == {"migrations.unique-database"}


def test_two_schemas_for_the_same_tenants_are_refused() -> None:
    """A tenant's schema has one history."""
    both = declared(target(), target("stock"))
    both = msgspec.structs.replace(both, databases={"shop": SHOP, "stock": SHOP})
    ((rule, path, what, _),) = found(both)
    assert (rule, path) == ("migrations.one-schema-per-tenant", "databases[1]")
    assert "shop" in what


def test_a_version_reaches_every_tenant_on_that_engine_and_nobody_else() -> None:
    """The change set names the tenants whose schema changes, and the field."""
    before, after = declared(target(version=1)), declared(target(version=2))
    old = resolve(before, ENVIRONMENT, "a" * 40)
    new = resolve(after, ENVIRONMENT, "b" * 40, old)
    changes = diff(old, new).changes
    on_postgres = {
        f"tenant/{name}"
        for name, tenant in after.tenants.items()
        if ENVIRONMENT in tenant.environments and tenant.database.engine == "postgresql"
    }
    assert on_postgres
    assert {change.unit for change in changes} == on_postgres
    assert {(f.path, f.before, f.after) for change in changes for f in change.fields} == {
        ("migrations.version", "1", "2")
    }


def test_a_version_of_the_platform_changes_the_platform_only() -> None:
    """Its databases are none of the tenants'."""
    before, after = declared(target(version=1, used_by="platform")), declared(target(version=2, used_by="platform"))
    old = resolve(before, ENVIRONMENT, "a" * 40)
    changes = diff(old, resolve(after, ENVIRONMENT, "b" * 40, old)).changes
    assert [change.unit for change in changes] == ["platform"]


def test_an_environment_without_migrations_resolves_as_before() -> None:
    """Digests of what was delivered before this document existed stay what they are."""
    base = declarations(base_documents())
    units = resolve(base, ENVIRONMENT, "a" * 40).units
    assert all(b"migrations" not in msgspec.json.encode(unit.inputs) for unit in units)
