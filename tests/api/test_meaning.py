"""What is left out of a request is what is the only possibility, within what the caller may see."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.api.meaning import meant_by
from pipelines.api.starter import Meant, Scope
from pipelines.api.wire import MigrationAsked
from pipelines.http.problems import Refusal
from policies.desired_state import DesiredState, TenantInputs
from policies.migrations.spec import DatabaseVersion
from tests.support.desired import tenant_unit, unit

SHOP = DatabaseVersion(database="shop", engine="postgresql", version=3, server="main")


def state(environment: str, *tenants: str, version: DatabaseVersion | None = SHOP) -> DesiredState:
    """An environment with these tenants, each with a database of these scripts."""
    made = []
    for name in tenants:
        inputs = tenant_unit().inputs
        assert isinstance(inputs, TenantInputs)
        own = msgspec.structs.replace(inputs, name=name, environment=environment, migrations=version)
        made.append(unit(f"tenant/{name}", own))
    return DesiredState(environment=environment, commit="a" * 40, units=tuple(made))


DELIVERED = {"staging": state("staging", "acme", "globex"), "production": state("production", "globex")}


def asked(**changes: object) -> MigrationAsked:
    return MigrationAsked.model_validate({"id": "r", "target_version": 2, **changes})


def refused(request: MigrationAsked, scope: Scope | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        meant_by(request, DELIVERED, scope or Scope())
    return caught.value


def test_a_tenant_of_one_environment_needs_nothing_else() -> None:
    found = meant_by(asked(tenant_id="acme"), DELIVERED, Scope())

    assert found == Meant(id="r", environment="staging", database="shop", tenant_id="acme", target_version=2)


def test_a_tenant_of_several_environments_is_asked_which() -> None:
    """Unless the caller may see one of them only."""
    refusal = refused(asked(tenant_id="globex"))
    scope = Scope(environments=("production",))

    assert (refusal.status, refusal.faults[0].at) == (422, "body.environment")
    assert "production, staging" in str(refusal)
    assert meant_by(asked(tenant_id="globex"), DELIVERED, scope).environment == "production"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tenant_id": "initech"}, "body.tenant_id"),
        ({"tenant_id": "acme", "environment": "production"}, "body.tenant_id"),
        ({"environment": "stagin"}, "body.environment"),
        ({"environment": "staging", "database": "shopp"}, "body.database"),
    ],
)
def test_what_is_not_there_is_not_found(changes: dict[str, object], place: str) -> None:
    refusal = refused(asked(**changes))

    assert (refusal.status, refusal.faults[0].at) == (404, place)


def test_nothing_beyond_the_scope_is_told_of() -> None:
    """Neither by the answer nor by what it proposes instead."""
    scope = Scope(environments=("staging",), tenants=("acme",))
    told = [refused(asked(environment="productio"), scope), refused(asked(tenant_id="globe"), scope)]

    assert not any("production" in one.next_step or "globex" in one.next_step for one in told)
    assert "globex" in refused(asked(tenant_id="globe")).next_step


def test_a_database_without_a_server_cannot_be_migrated() -> None:
    """Nobody would apply it."""
    unserved = msgspec.structs.replace(SHOP, server="")
    with pytest.raises(Refusal) as caught:
        meant_by(asked(), {"staging": state("staging", "acme", version=unserved)}, Scope())

    assert caught.value.status == 404
