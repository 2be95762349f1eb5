"""What a request means: the environment and database that it left out, from what is delivered.

Nothing is guessed: what is not the only possibility has to be said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.api.starter import Meant, Scope
from pipelines.api.wire import MigrationAsked
from pipelines.http.problems import Fault, Refusal
from policies.desired_state import DesiredState
from policies.findings import suggestion
from policies.migrations.targets import MigrationTarget, targets_of

KIND = "not-delivered"


def meant_by(asked: MigrationAsked, delivered: Mapping[str, DesiredState], scope: Scope) -> Meant:
    """The request with nothing left out; ``delivered`` is by environment. Raises Refusal 404 and 422. Pure.

    What is beyond ``scope`` is not told of.
    """
    delivered = {name: state for name, state in delivered.items() if scope.covers_environment(name)}
    if asked.environment is not None and asked.environment not in delivered:
        raise _missing(
            "environment", f"nothing was ever delivered to {asked.environment}", asked.environment, delivered
        )
    states = delivered if asked.environment is None else {asked.environment: delivered[asked.environment]}
    targets = {name: tuple(targets_of(state).values()) for name, state in states.items()}
    if asked.tenant_id is not None:
        targets = _of_tenant(asked.tenant_id, targets, scope)
    environment = _only("environment", targets)
    chosen = targets[environment]
    scripts = {one.scripts for one in chosen}
    if asked.database is not None and asked.database not in scripts:
        where = f"{asked.tenant_id} in {environment}" if asked.tenant_id else environment
        raise _missing("database", f"{where} has no database {asked.database}", asked.database, scripts)
    database = asked.database if asked.database is not None else _only("database", scripts)
    return Meant(
        id=asked.id,
        environment=environment,
        database=database,
        tenant_id=asked.tenant_id or "",
        target_version=asked.target_version,
    )


def _of_tenant(
    tenant: str, targets: Mapping[str, tuple[MigrationTarget, ...]], scope: Scope
) -> dict[str, tuple[MigrationTarget, ...]]:
    """Where the tenant has a database that is migrated."""
    found = {
        environment: own
        for environment, ones in targets.items()
        if (own := tuple(one for one in ones if tenant in one.tenants))
    }
    if not found:
        everybody = {name for ones in targets.values() for one in ones for name in one.tenants}
        everybody = {name for name in everybody if scope.covers_tenant(name)}
        where = f"in {next(iter(targets))}" if len(targets) == 1 else "anywhere"
        raise _missing("tenant_id", f"{tenant} has no database that is migrated {where}", tenant, everybody)
    return found


def _only(name: str, found: Iterable[str]) -> str:
    known = sorted(found)
    if len(known) == 1:
        return known[0]
    if not known:
        raise Refusal(
            404,
            "there is no database on a server that is named",
            next_step="name its server in migrations.yaml and deliver that",
            kind=KIND,
        )
    message = f"{name} may be {', '.join(known)}: say which"
    raise Refusal(422, message, next_step=f"add {name} to the request", faults=[Fault(f"body.{name}", message)])


def _missing(name: str, message: str, wrong: str, known: Iterable[str]) -> Refusal:
    fix = suggestion(wrong, sorted(known), "deliver it first: `adx deploy`")
    return Refusal(404, message, next_step=fix, kind=KIND, faults=[Fault(f"body.{name}", message)])
