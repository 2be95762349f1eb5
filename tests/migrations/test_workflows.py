"""Workflows on the real Temporal with real databases: one database, many in waves, cancelled, in many runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from temporalio.service import RPCError

from policies.change_set import ChangeSet
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, RolloutRules
from policies.migrations.targets import MigrationTarget
from tests.migrations.clients import SLEEP, running, until_ended
from tests.migrations.targets import SHOP
from tests.migrations.worker import CANARY, TENANTS, TIMEOUTS, Migrations, delivered_environment
from workflows.bodies import DeliveryBody
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.ledger import fencing, rollouts
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_claims import TargetClaim
from workflows.ledger.models import NewRollout
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.finding import claimed
from workflows.migrations.models import (
    DatabaseMigrationInput,
    DatabaseMigrationStatus,
    FanOutInput,
    FanOutResult,
    Wanted,
)
from workflows.migrations.workflow import DatabaseMigrationWorkflow

MONTH_SECONDS = 30 * 86_400


def target(address: DatabaseAddress, tenant: str, versions: tuple[int, int]) -> MigrationTarget:
    """A tenant's database on main."""
    is_mysql = address.engine == "mysql"
    return MigrationTarget(
        id=f"main/{address.database}" + ("" if is_mysql else f"/{address.schema}"),
        server="main",
        database=address.database,
        schema="" if is_mysql else address.schema,
        scripts="shop",
        engine=address.engine,
        tenants=(tenant,),
        from_version=versions[0],
        to_version=versions[1],
        is_new=versions[0] == 0,
    )


def targets(databases: list[DatabaseAddress], versions: tuple[int, int]) -> list[MigrationTarget]:
    """One for each database."""
    return [target(one, f"t{number:02}", versions) for number, one in enumerate(databases)]


async def fan_out(
    migrations: Migrations, commit: str, chosen: list[MigrationTarget], operation: str, **changes: object
) -> FanOutResult:
    """Migrate them; the result."""
    return await migrations.client.execute_workflow(
        MigrationFanOutWorkflow.run,
        await _input(migrations, commit, chosen, operation, **changes),
        id=f"{migrations.environment}-{operation}",
        task_queue=migrations.environment,
    )


async def _input(
    migrations: Migrations, commit: str, chosen: list[MigrationTarget], operation: str, **changes: object
) -> FanOutInput:
    body = await migrations.body(commit, *chosen)
    asked = FanOutInput(migrations.environment, migrations.lease(operation), body, timeouts=TIMEOUTS)
    return replace(asked, **changes)  # type: ignore[arg-type] # the tests know the fields


async def versions(databases: list[DatabaseAddress]) -> list[int]:
    """What each database says itself."""
    found = []
    for one in databases:
        async with open_database(one) as database:
            found.append((await database.get_schema_version()).version)
    return found


async def rules(migrations: Migrations, fleet: FleetRules) -> str:
    """The rules of a delivery, kept."""
    spec = EnvironmentSpec(
        name=migrations.environment,
        description="",
        owner="team-a",
        region="eu-west-1",
        namespace="shop",
        rollout=RolloutRules(fleet=fleet),
    )
    change_set = ChangeSet(environment=migrations.environment, base_commit=None, commit="c" * 40, changes=())
    return await migrations.put(DeliveryBody(environment=spec, change_set=change_set))


class TestManyDatabases:
    """Waves on a real server."""

    async def test_all_are_made_and_get_their_version(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """New tenants' schemas are made; every database has its row in the ledger."""
        commit = migrations.commit(SHOP, databases[0].engine)
        async with migrations.worker():
            result = await fan_out(migrations, commit, targets(databases, (0, 3)), "first")
            assert (result.outcome, result.text) == ("delivered", f"{TENANTS} delivered")
            again = await fan_out(migrations, commit, targets(databases, (0, 3)), "again")
        assert again.outcome == "delivered"
        assert await versions(databases) == [3] * TENANTS
        known = await rows.targets_of(migrations.runtime.ledger, migrations.environment)
        assert {(one.version, one.status) for one in known} == {(3, "applied")}
        assert len({one.catalog for one in known}) == 1
        assert len(await rows.runs_of(migrations.runtime.ledger, "first")) == TENANTS
        assert await rows.runs_of(migrations.runtime.ledger, "again") == ()

    async def test_where_services_need_it_one_failure_takes_all_back(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """Those that succeeded are taken back, those that were not reached stay."""
        commit = migrations.commit(SHOP, databases[0].engine)
        async with migrations.worker():
            await fan_out(migrations, commit, targets(databases, (0, 1)), "first")
            await _break(databases[7])
            result = await fan_out(migrations, commit, targets(databases, (1, 3)), "second")
        assert result.outcome == "restored"
        assert "status" in result.reason
        assert await versions(databases) == [1] * TENANTS
        states = {one.status for one in await rows.runs_of(migrations.runtime.ledger, "second")}
        assert states == {"undone", "restored"}
        assert await _limits(migrations, "second") == {"plan_fan_out": 120, "migrate_batch": MONTH_SECONDS}

    async def test_within_its_budget_one_lags_behind_and_the_others_stay(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """A canary first; the one that failed is restored and named."""
        commit = migrations.commit(SHOP, databases[0].engine)
        delivery = await rules(migrations, FleetRules(canaries=("t03",), steps=(4, "100%"), failure_budget=1))
        async with migrations.worker():
            await fan_out(migrations, commit, targets(databases, (0, 1)), "first")
            await _break(databases[7])
            chosen = targets(databases, (1, 3))
            result = await fan_out(migrations, commit, chosen, "second", delivery=delivery, is_needed=False)
        assert result.outcome == "partly-delivered"
        assert chosen[7].id in result.reasons[0]
        assert await versions(databases) == [1 if number == 7 else 3 for number in range(TENANTS)]

    async def test_a_canary_that_fails_ends_it_before_anybody_else(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """The others are untouched: they have no run."""
        commit = migrations.commit(SHOP, databases[0].engine)
        delivery = await rules(migrations, FleetRules(canaries=("t03",), beyond_budget="stop"))
        async with migrations.worker():
            await fan_out(migrations, commit, targets(databases, (0, 1)), "first")
            await _break(databases[3])
            chosen = targets(databases, (1, 3))
            result = await fan_out(migrations, commit, chosen, "second", delivery=delivery, is_needed=False)
        assert result.outcome == "restored"
        assert [one.target for one in await rows.runs_of(migrations.runtime.ledger, "second")] == [chosen[3].id]

    async def test_it_goes_on_in_another_run(self, migrations: Migrations, databases: list[DatabaseAddress]) -> None:
        """A history that is long enough is left; nothing is done twice."""
        commit = migrations.commit(SHOP, databases[0].engine)
        delivery = await rules(migrations, FleetRules(steps=(2, 5, 8, "100%")))
        async with migrations.worker():
            chosen = targets(databases, (0, 2))
            result = await fan_out(migrations, commit, chosen, "runs", delivery=delivery, events_per_run=12)
            handle = migrations.client.get_workflow_handle(f"{migrations.environment}-runs")
            first = await handle.describe()
        assert result.outcome == "delivered"
        assert first.raw_info.first_run_id != first.run_id
        assert await versions(databases) == [2] * TENANTS

    async def test_cancelled_it_ends_the_statements_and_takes_back_what_was_under_way(
        self, migrations: Migrations, address: DatabaseAddress, databases: list[DatabaseAddress]
    ) -> None:
        """Nothing runs on the server afterwards."""
        slow = (SHOP[0], (SLEEP[address.engine].format(120), "DROP TABLE slow"))
        commit = migrations.commit(slow, address.engine)
        async with migrations.worker(), open_database(address) as looker:
            handle = await migrations.client.start_workflow(
                MigrationFanOutWorkflow.run,
                await _input(migrations, commit, targets(databases[:1], (0, 2)), "slow"),
                id=f"{migrations.environment}-slow",
                task_queue=migrations.environment,
            )
            while not await running(looker, databases[0]):
                await asyncio.sleep(0.05)
            await handle.signal(MigrationFanOutWorkflow.cancel, "ada")
            result = await handle.result()
            await until_ended(lambda: running(looker, databases[0]))
        assert result.outcome == "cancelled"
        assert await versions(databases[:1]) == [0]


async def _break(address: DatabaseAddress) -> None:
    """Somebody added the column that version 2 adds."""
    async with open_database(address) as database:
        await database.execute_query("ALTER TABLE orders ADD COLUMN status integer")


class TestOneDatabase:
    """The operation of a person at one tenant of a delivered environment."""

    async def test_it_is_brought_to_the_declared_version_and_back(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """A rollback takes the last operation back; a second one the one before it."""
        await delivered_environment(migrations, databases[:2], 3)
        async with migrations.worker():
            first = await _one(migrations, "up", version=1)
            assert (first.outcome, first.version) == ("delivered", 1)
            second = await _one(migrations, "more")
            assert (second.outcome, second.version) == ("delivered", 3)
            assert [step.status for step in second.steps] == ["succeeded"] * 4
            assert (await _one(migrations, "same")).outcome == "nothing-to-change"
            back = await _one(migrations, "back", undoes="last")
            assert (back.outcome, back.version) == ("delivered", 1)
        assert await versions(databases[:1]) == [1]
        assert len(await rows.targets_of(migrations.runtime.ledger, migrations.environment)) == 1

    async def test_one_that_fails_is_restored_by_a_child(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """The ledger and the database agree."""
        await delivered_environment(migrations, databases[:1], 3)
        async with migrations.worker():
            await _one(migrations, "up", version=1)
            await _break(databases[0])
            result = await _one(migrations, "more")
        assert (result.outcome, result.version) == ("restored", 1)
        assert [step.status for step in result.steps] == ["succeeded", "succeeded", "failed", "pending"]
        child = migrations.client.get_workflow_handle(f"{migrations.environment}-more-restore")
        assert (await child.describe()).status is not None
        limits = await _limits(migrations, "more") | await _limits(migrations, "more-restore")
        assert {limits[one] for one in ("protect_target", "execute_target", "restore_target")} == {MONTH_SECONDS}

    async def test_what_was_written_is_not_lost_without_a_word(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """Refused, and done when somebody accepts it."""
        await delivered_environment(migrations, databases[:1], 2)
        async with migrations.worker():
            await _one(migrations, "one", version=1)
            await _one(migrations, "up")
            async with open_database(databases[0]) as service:
                await service.execute_query("INSERT INTO orders VALUES (1, 'a', 'paid')")
            refused = await _one(migrations, "back", undoes="last")
            assert refused.outcome == "refused"
            assert "orders.status" in refused.failure
            assert (await _one(migrations, "lost", undoes="last", accepts_loss=True)).outcome == "delivered"
        assert await versions(databases[:1]) == [1]

    async def test_an_unknown_tenant_and_a_busy_environment_are_refused(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """With what is to be done about it."""
        await delivered_environment(migrations, databases[:1], 2)
        async with migrations.worker():
            assert "has no such database" in (await _one(migrations, "who", tenant="nobody")).failure
            await _rollout_under_way(migrations)
            assert "is under way" in (await _one(migrations, "busy")).failure

    async def test_while_it_is_changed_no_other_has_it_and_what_a_rollout_takes_is_not_restored(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """A second operation is refused; the first one, from which it was taken, starts no restore."""
        await delivered_environment(migrations, databases[:1], 2)
        ledger, name = migrations.runtime.ledger, f"{migrations.environment}-more"
        async with migrations.worker(), open_database(databases[0]) as holder:
            await _one(migrations, "up", version=1)
            await holder.locked()
            first = asyncio.create_task(_one(migrations, "more"))
            while not await rows.runs_of(ledger, name):
                await asyncio.sleep(0.05)
            second = await _one(migrations, "busy")
            token = await fencing.acquire(ledger, migrations.environment, "r-2")
            await claims.claim(ledger, _claim(migrations, "r-2", token), [claimed(target(databases[0], "t00", (1, 2)))])
            result = await first
        assert (second.outcome, f"{name} is changing it" in second.failure) == ("refused", True)
        assert (result.outcome, "belongs to another attempt now" in result.failure) == ("refused", True)
        with pytest.raises(RPCError, match="not found"):
            await migrations.client.get_workflow_handle(f"{name}-restore").describe()

    async def test_one_whose_operation_was_ended_from_outside_is_free(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """Temporal knows of no such operation; what it had begun needs somebody."""
        await delivered_environment(migrations, databases[:1], 2)
        ledger, one = migrations.runtime.ledger, target(databases[0], "t00", (1, 2))
        async with migrations.worker():
            await _one(migrations, "up", version=1)
            await claims.claim(ledger, _claim(migrations, "gone"), [claimed(one)])
            catalog = {"digest": "d" * 64, "body": {}}
            await rows.begin(ledger, _claim(migrations, "gone"), one.id, (1, 2), catalog=catalog, written={})
            result = await _one(migrations, "more")
        assert (result.outcome, result.version) == ("delivered", 2)
        gone = await rows.find_run(ledger, "gone", one.id)
        assert gone is not None
        assert (gone.status, gone.reason) == ("needs-operator", "gone was ended from outside in the middle")

    async def test_the_servers_password_is_nowhere(
        self, migrations: Migrations, databases: list[DatabaseAddress]
    ) -> None:
        """Not in the history of a workflow that could not connect."""
        if databases[0].engine == "mysql":
            pytest.skip("one server that cannot be reached is enough")
        await delivered_environment(migrations, databases[:1], 2)
        place = f"{databases[0].host}:{databases[0].port}/{databases[0].database}"
        migrations.runtime.environ["ADX_DATABASE_MAIN_URL"] = f"postgresql://nobody:{CANARY}@{place}"  # type: ignore[index] # a dict in tests
        async with migrations.worker():
            result = await _one(migrations, "secret")
        handle = migrations.client.get_workflow_handle(f"{migrations.environment}-secret")
        history = (await handle.fetch_history()).to_json()
        assert result.outcome == "refused"
        assert "cannot be reached as nobody" in result.failure
        assert CANARY not in history


async def _limits(migrations: Migrations, operation: str) -> dict[str, int]:
    """How many seconds each activity of an operation may take: a backfill takes days."""
    handle = migrations.client.get_workflow_handle(f"{migrations.environment}-{operation}")
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return {one.activity_type.name: one.start_to_close_timeout.seconds for one in scheduled}


async def _one(migrations: Migrations, operation: str, **wanted: object) -> DatabaseMigrationStatus:
    asked = {"tenant": "t00", **wanted}
    return await migrations.client.execute_workflow(
        DatabaseMigrationWorkflow.run,
        DatabaseMigrationInput(Wanted(migrations.environment, "ada", **asked), TIMEOUTS),  # type: ignore[arg-type] # as named
        id=f"{migrations.environment}-{operation}",
        task_queue=migrations.environment,
    )


def _claim(migrations: Migrations, operation: str, token: int | None = None) -> TargetClaim:
    return TargetClaim(
        environment=migrations.environment, operation_id=operation, holder=operation, environment_token=token
    )


async def _rollout_under_way(migrations: Migrations) -> None:
    await rollouts.start(
        migrations.runtime.ledger,
        NewRollout(
            id="r-2",
            environment=migrations.environment,
            kind="deliver",
            commit="c" * 40,
            requested_by="ada",
            source="cli",
        ),
    )
