"""Many databases in one activity, as a worker runs it: what an earlier attempt began is never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import msgspec
import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from policies.migrations.spec import Engine
from policies.migrations.targets import MigrationTarget
from tests.migrations.clients import SLEEP, running
from tests.migrations.scripts import scripts_of
from tests.migrations.targets import SHOP
from tests.migrations.test_workflows import targets, versions
from tests.migrations.worker import Migrations
from workflows.clients.databases import DatabaseAddress, LockPatience, open_database
from workflows.clients.databases.errors import MigrationLocked
from workflows.clients.databases.quoting import quoted
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_claims import TargetClaim
from workflows.migrations.batches import BatchActivities
from workflows.migrations.finding import claimed
from workflows.migrations.models import BatchRequest, TargetResult
from workflows.migrations.places import ServerPlaces
from workflows.migrations.servers import Server, server_of
from workflows.retry import TIMEOUT

AT_ONCE = 3  # as the fixture's setting says
Scripts = Sequence[tuple[str, str | None]]


def activities(migrations: Migrations, places: ServerPlaces | None = None) -> BatchActivities:
    """Of one worker."""
    return BatchActivities(migrations.runtime, None, LockPatience(attempts=2), places)


async def asked(
    migrations: Migrations, chosen: Sequence[MigrationTarget], scripts: Scripts = SHOP, *, is_undo: bool = False
) -> BatchRequest:
    """Bring them to their version, or back."""
    body = await migrations.body(migrations.commit(scripts, chosen[0].engine), *chosen)
    return BatchRequest(migrations.lease("op"), body, "main", [one.id for one in chosen], is_undo=is_undo)


class Occupied(ServerPlaces):
    """All places are taken by others; ``waiting`` counts who came for one."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Semaphore(0)

    def at(self, server: Server) -> asyncio.Semaphore:
        """Whoever asks waits next."""
        self.waiting.release()
        return super().at(server)


async def cancelled_while_waiting(migrations: Migrations, request: BatchRequest, engine: Engine) -> list[TargetResult]:
    """The results of an attempt that is cancelled while all places of its server are taken."""
    environment, places = ActivityEnvironment(), Occupied()
    async with AsyncExitStack() as held:
        for _ in range(AT_ONCE):
            await held.enter_async_context(
                ServerPlaces.at(places, server_of(migrations.runtime.environ, "main", engine))
            )
        task = asyncio.create_task(environment.run(activities(migrations, places).migrate_batch, request))
        for _ in request.chosen:
            await places.waiting.acquire()
        environment.cancel()
    return (await task).results


async def died_in_the_middle(
    migrations: Migrations, request: BatchRequest, address: DatabaseAddress, looker: DatabaseAddress
) -> None:
    """An attempt whose worker is ended while a script runs."""
    environment = ActivityEnvironment()
    task = asyncio.create_task(environment.run(activities(migrations).migrate_batch, request))
    async with open_database(looker) as admin:
        while not await running(admin, address):
            await asyncio.sleep(0.05)
    environment.cancel(ActivityCancellationDetails(worker_shutdown=True))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_before_it_began_nothing_is_touched(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """And nothing says otherwise."""
    request = await asked(migrations, targets(databases[:2], (0, 2)))
    results = await cancelled_while_waiting(migrations, request, databases[0].engine)
    assert {(one.outcome, one.why) for one in results} == {("restored", "cancelled before it began")}
    assert await rows.runs_of(migrations.runtime.ledger, "op") == ()


async def test_what_an_earlier_attempt_had_begun_is_taken_back(
    migrations: Migrations, address: DatabaseAddress, databases: list[DatabaseAddress]
) -> None:
    """Not called untouched because this attempt did not come to it."""
    slow = (SHOP[0], (SLEEP[address.engine].format(60), "DROP TABLE slow"))
    request = await asked(migrations, targets(databases[:1], (0, 2)), slow)
    await died_in_the_middle(migrations, request, databases[0], address)
    assert await versions(databases[:1]) == [1]
    (result,) = await cancelled_while_waiting(migrations, request, address.engine)
    assert (result.outcome, result.version, result.why) == ("restored", 0, "cancelled")
    assert await versions(databases[:1]) == [0]


async def test_what_an_earlier_attempt_had_ended_stays(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """It was done when the cancellation came."""
    request = await asked(migrations, targets(databases[:2], (0, 2)))
    await ActivityEnvironment().run(activities(migrations).migrate_batch, request)
    results = await cancelled_while_waiting(migrations, request, databases[0].engine)
    assert {(one.outcome, one.version) for one in results} == {("delivered", 2)}
    assert await versions(databases[:2]) == [2, 2]


async def test_nothing_is_made_to_take_back_what_was_never_touched(
    migrations: Migrations, address: DatabaseAddress, databases: list[DatabaseAddress]
) -> None:
    """A new tenant's database is not there, and need not be."""
    request = await asked(migrations, targets(databases[:1], (0, 2)), is_undo=True)
    (result,) = (await ActivityEnvironment().run(activities(migrations).migrate_batch, request)).results
    assert (result.outcome, result.why) == ("restored", "it was not touched")
    name = databases[0].database if address.engine == "mysql" else databases[0].schema
    async with open_database(address) as admin:
        query = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
        assert await admin.execute_query(query, (name,)) == []


async def test_what_another_operation_is_changing_is_left_alone(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """It counts as one that could not be brought; the others are."""
    chosen = targets(databases[:3], (0, 2))
    ledger, other = (
        migrations.runtime.ledger,
        TargetClaim(environment=migrations.environment, operation_id="other", holder="other"),
    )
    await claims.claim(ledger, other, [claimed(chosen[0])])
    await rows.begin(ledger, other, chosen[0].id, (0, 1), catalog={"digest": "d" * 64, "body": {}}, written={})
    request = await asked(migrations, chosen)
    results = (await ActivityEnvironment().run(activities(migrations).migrate_batch, request)).results
    assert [one.outcome for one in results] == ["restored", "delivered", "delivered"]
    assert results[0].why == "nothing was touched: other is changing it"
    assert await versions(databases[1:3]) == [2, 2]


async def test_a_schema_that_stays_locked_is_told_at_its_last_attempt_and_the_others_have_their_own_ends(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """Of its own class of errors: one attempt later nobody would be asked any more, and all would count as unknown."""
    await ActivityEnvironment().run(
        activities(migrations).migrate_batch, await asked(migrations, targets(databases[:2], (0, 1)))
    )
    body = await asked(migrations, targets(databases[:2], (1, 2)))
    request = replace(body, lease=migrations.lease("two"))
    impatient = BatchActivities(migrations.runtime, None, LockPatience(attempts=2, migration_lock_seconds=0.1))
    environment = ActivityEnvironment()
    async with open_database(databases[0]) as holder:
        await holder.locked()
        environment.info = replace(environment.info, attempt=TIMEOUT.attempts - 1)
        with pytest.raises(MigrationLocked):
            await environment.run(impatient.migrate_batch, request)
        environment.info = replace(environment.info, attempt=TIMEOUT.attempts)
        results = {one.target: one for one in (await environment.run(impatient.migrate_batch, request)).results}
    locked, free = (results[one.id] for one in targets(databases[:2], (1, 2)))
    assert locked.outcome == "needs-operator"  # whoever holds the lock may be a lost session of ours
    assert locked.why.startswith("what is there is not known: ")
    assert free.outcome == "delivered"
    assert await versions(databases[:2]) == [1, 2]


async def test_those_that_have_their_version_are_found_together(
    migrations: Migrations, databases: list[DatabaseAddress], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a session for each; the others are migrated, and so is one that the ledger does not know."""
    run, alone = ActivityEnvironment().run, list[str]()
    await run(activities(migrations).migrate_batch, await asked(migrations, targets(databases[:3], (0, 2))))
    await run(activities(migrations).migrate_batch, await asked(migrations, targets(databases[3:4], (0, 1))))
    one_alone = BatchActivities._one

    async def counted(self: BatchActivities, batch: object, target: MigrationTarget) -> TargetResult:
        alone.append(target.id)
        return await one_alone(self, batch, target)  # type: ignore[arg-type] # as it comes

    monkeypatch.setattr(BatchActivities, "_one", counted)
    chosen = targets(databases[:5], (2, 2))
    chosen[4] = msgspec.structs.replace(chosen[4], is_new=True)
    request = replace(await asked(migrations, chosen), lease=migrations.lease("again"))

    results = (await run(activities(migrations).migrate_batch, request)).results

    assert [(one.outcome, one.version) for one in results] == [("delivered", 2)] * 5
    assert [one.why for one in results] == ["had it already"] * 3 + ["", ""]
    assert alone == [chosen[3].id, chosen[4].id]
    known = await rows.targets_of(migrations.runtime.ledger, migrations.environment)
    assert {(one.status, one.version, one.operation_id) for one in known} == {("applied", 2, "again")}


async def test_one_that_was_left_half_way_is_looked_at_for_itself(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """What brought its version is then the next one to be taken back, which only a look at it alone writes down."""
    run, ledger = ActivityEnvironment().run, migrations.runtime.ledger
    await run(activities(migrations).migrate_batch, await asked(migrations, targets(databases[:1], (0, 1))))
    half = TargetClaim(environment=migrations.environment, operation_id="half", holder="half")
    (one,) = targets(databases[:1], (1, 2))
    await claims.claim(ledger, half, [claimed(one)])
    await rows.begin(ledger, half, one.id, (1, 2), catalog={"digest": "d" * 64, "body": {}}, written={})
    await rows.finish(ledger, half, one.id, ("needs-operator", "needs-operator"), version=2)
    async with open_database(databases[0]) as database:
        await database.apply_migration(scripts_of(databases[0].engine, *SHOP).migrations[1])

    request = replace(await asked(migrations, targets(databases[:1], (1, 2))), lease=migrations.lease("again"))
    (result,) = (await run(activities(migrations).migrate_batch, request)).results

    assert (result.outcome, result.version, result.why) == ("delivered", 2, "had it already")
    found = await rows.find_run(ledger, "half", one.id)
    assert found is not None
    assert found.status == "delivered"


async def test_a_record_that_is_not_that_of_the_scripts_is_no_version_that_it_has(
    migrations: Migrations, databases: list[DatabaseAddress]
) -> None:
    """It is refused, and the others are as they should be."""
    run = ActivityEnvironment().run
    await run(activities(migrations).migrate_batch, await asked(migrations, targets(databases[:2], (0, 2))))
    async with open_database(databases[0]) as database:
        await database.execute_query("UPDATE adx_migrations SET checksum = 'another' WHERE version = 1")

    request = replace(await asked(migrations, targets(databases[:2], (2, 2))), lease=migrations.lease("again"))
    changed, same = (await run(activities(migrations).migrate_batch, request)).results

    assert changed.outcome == "restored"
    assert "was changed after it was applied" in changed.why
    assert (same.outcome, same.why) == ("delivered", "had it already")


async def test_versions_of_many_schemas_are_read_at_once(address: DatabaseAddress, gone: None) -> None:
    """Without those that record nothing, and those that are not there."""
    scripts = scripts_of(address.engine, *SHOP[:2])
    names = ["tenant_00", "an Other", "empty"]
    if address.engine == "mysql":
        names = [f"{address.database}_{name}"[-60:] for name in ("tenant_00", "tenant_01", "tenant_02")]
    at = {name: address.at(database=name) if address.engine == "mysql" else address.at(schema=name) for name in names}
    async with open_database(address) as admin:
        for name in names:
            kind = "DATABASE" if address.engine == "mysql" else "SCHEMA"
            await admin.execute_query(f"CREATE {kind} {quoted(address.engine, name)}")
        for name, count in zip(names[:2], (1, 2), strict=True):
            async with open_database(at[name]) as database:
                for migration in scripts.migrations[:count]:
                    await database.apply_migration(migration)
                single = await database.get_schema_version()
            assert (await admin.get_schema_versions([name]))[name] == single
        found = await admin.get_schema_versions([*names, "nowhere"])
        assert await admin.get_schema_versions(names[2:]) == await admin.get_schema_versions([]) == {}
    assert {name: one.version for name, one in found.items()} == {names[0]: 1, names[1]: 2}
