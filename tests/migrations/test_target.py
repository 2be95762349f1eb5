"""The guarded change of one database on real servers: it ends with its version, or as it was, and the ledger knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from pipelines.migration_status import drift
from policies.migrations.catalog import Catalog, compare, is_same
from policies.migrations.model import ScriptSet
from tests.migrations.backup.scenes import store_in
from tests.migrations.clients import SLEEP, running, until_ended
from tests.migrations.scripts import scripts_of
from tests.migrations.targets import SHOP, target_for, working
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.errors import AdxConnectionError
from workflows.ledger import Ledger, audit
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.errors import LedgerRefused, StaleFencingToken
from workflows.ledger.migrations_claims import ClaimedTarget, TargetClaim
from workflows.migrations.errors import NotTakenBack, RowsWouldBeLost
from workflows.migrations.models import TargetResult
from workflows.migrations.protection import Protection


def shop(address: DatabaseAddress) -> ScriptSet:
    """Four versions."""
    return scripts_of(address.engine, *SHOP)


async def delivered(ledger: Ledger, address: DatabaseAddress, end: int, *, operation: str = "op") -> TargetResult:
    """Bring the database to a version."""
    async with working(ledger, address, shop(address), 0, end, operation=operation) as work:
        return await work.deliver()


async def rows_in(address: DatabaseAddress, query: str) -> list[tuple[object, ...]]:
    """Ask the database as a service would."""
    async with open_database(address) as database:
        return await database.execute_query(query)


async def test_a_new_database_gets_its_version_and_the_ledger_says_so(ledger: Ledger, address: DatabaseAddress) -> None:
    """The run has where it came from, the target what it holds."""
    assert (await delivered(ledger, address, 3)).outcome == "delivered"
    run = await rows.find_run(ledger, "op", target_for(address, 0, 3).id)
    (target,) = await rows.targets_of(ledger, "staging")
    assert run is not None
    assert (run.from_version, run.to_version, run.status) == (0, 3, "delivered")
    assert (target.version, target.status, target.tenants) == (3, "applied", ["acme"])
    assert target.catalog == run.catalog_after


async def test_asked_twice_it_is_done_once(ledger: Ledger, address: DatabaseAddress) -> None:
    """Another operation finds the version there; the same one finds its own end."""
    first = await delivered(ledger, address, 2)
    assert await delivered(ledger, address, 2) == first
    again = await delivered(ledger, address, 2, operation="other")
    assert (again.outcome, again.why) == ("delivered", "had it already")
    assert await rows.find_run(ledger, "other", first.target) is None


async def test_what_fails_leaves_the_database_as_it_was(ledger: Ledger, address: DatabaseAddress) -> None:
    """Version 2 came, version 3 fails, both are gone; rows that were there stay."""
    await delivered(ledger, address, 1)
    await rows_in(address, "INSERT INTO orders VALUES (1, 'kept')")
    async with open_database(address) as database:
        before = await database.catalog()
    broken = (*SHOP[:2], ("UPDATE orders SET nothing = 1", "SELECT 1"))
    async with working(ledger, address, scripts_of(address.engine, *broken), 1, 3, operation="bad") as work:
        result = await work.deliver()
    assert result.outcome == "restored"
    assert result.version == 1
    assert "0003_step_3.up.sql:1" in result.why
    async with open_database(address) as database:
        assert is_same(compare(before, await database.catalog()))
        assert (await database.get_schema_version()).unfinished is None
    assert await rows_in(address, "SELECT note FROM orders") == [("kept",)]
    (target,) = await rows.targets_of(ledger, "staging")
    assert (target.version, target.status) == (1, "restored")


async def test_what_somebody_changed_by_hand_is_drift_after_a_failure_as_before(
    ledger: Ledger, address: DatabaseAddress
) -> None:
    """The record is of the version, not of what happened to be there when it was to change."""
    await delivered(ledger, address, 1)
    (known,) = await rows.targets_of(ledger, "staging")
    await rows_in(address, "ALTER TABLE orders ADD COLUMN by_hand int")
    broken = (SHOP[0], ("ALTER TABLE orders ADD COLUMN by_hand int", "SELECT 1"))
    async with working(ledger, address, scripts_of(address.engine, *broken), 1, 2, operation="bad") as work:
        result = await work.deliver()
        now = await work.database.catalog()

    assert (result.outcome, result.version) == ("restored", 1)
    (target,) = await rows.targets_of(ledger, "staging")
    assert target.catalog == known.catalog
    recorded = msgspec.convert(await rows.catalog_body(ledger, target.catalog or ""), Catalog)
    assert any("column by_hand" in line for line in drift(recorded, now))


async def test_half_a_script_that_cannot_be_undone_needs_a_person(
    ledger: Ledger, mysql_address: DatabaseAddress
) -> None:
    """Without a backup nobody can say what half of it means; the ledger names where it stands."""
    text = "ALTER TABLE orders ADD COLUMN a int; ALTER TABLE nothing ADD COLUMN b int"
    scripts = scripts_of("mysql", SHOP[0], (text, "ALTER TABLE orders DROP COLUMN a"))
    await delivered(ledger, mysql_address, 1)
    async with working(ledger, mysql_address, scripts, 1, 2, operation="bad") as work:
        result = await work.deliver()
    assert result.outcome == "needs-operator"
    assert "half done: 1 statement" in result.why
    (target,) = await rows.targets_of(ledger, "staging")
    assert (target.version, target.status) == (1, "needs-operator")


async def test_a_worker_that_dies_is_followed_by_one_that_finishes(ledger: Ledger, address: DatabaseAddress) -> None:
    """The second attempt starts from what the first wrote down, not from what it finds."""
    await delivered(ledger, address, 1)
    async with working(ledger, address, shop(address), 1, 3, operation="two") as work:
        plan = await work.planned()
        await work.protect(plan)
        await work.database.apply_migration(plan.migrations[0])
    async with working(ledger, address, shop(address), 1, 3, operation="two", holder="another") as work:
        assert (await work.deliver()).outcome == "delivered"
    run = await rows.find_run(ledger, "two", target_for(address, 1, 3).id)
    assert run is not None
    assert (run.from_version, run.to_version) == (1, 3)


async def test_a_worker_that_comes_back_late_changes_nothing(ledger: Ledger, address: DatabaseAddress) -> None:
    """The claim is looked at before every script."""
    async with working(ledger, address, shop(address), 0, 2) as late:
        plan = await late.planned()
        await late.protect(plan)
        async with working(ledger, address, shop(address), 0, 2, holder="another"):
            with pytest.raises(StaleFencingToken):
                await late.execute(plan)
    async with open_database(address) as database:
        assert (await database.get_schema_version()).version == 0


async def test_a_cancelled_migration_is_ended_on_the_server_and_taken_back(
    ledger: Ledger, address: DatabaseAddress
) -> None:
    """Nothing goes on behind anybody's back."""
    await delivered(ledger, address, 1)
    slow = scripts_of(address.engine, SHOP[0], SHOP[1], (SLEEP[address.engine].format(60), "DROP TABLE slow"))
    async with (
        open_database(address) as looker,
        working(ledger, address, slow, 1, 3, operation="slow", is_cancel_wanted=lambda: True) as work,
    ):
        task = asyncio.create_task(work.deliver())
        while not await running(looker, address):
            await asyncio.sleep(0.05)
        task.cancel()
        result = await task
        await until_ended(lambda: running(looker, address))
    assert (result.outcome, result.version, result.why) == ("restored", 1, "cancelled")


async def test_a_worker_that_stops_leaves_it_to_the_next_one(ledger: Ledger, address: DatabaseAddress) -> None:
    """That a worker is shut down is no reason to take anything back."""
    slow = scripts_of(address.engine, SHOP[0], (SLEEP[address.engine].format(60), "DROP TABLE slow"))
    async with open_database(address) as looker, working(ledger, address, slow, 0, 2) as work:
        task = asyncio.create_task(work.deliver())
        while not await running(looker, address):
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    run = await rows.find_run(ledger, "op", target_for(address, 0, 2).id)
    assert run is not None
    assert run.status == "migrating"
    async with open_database(address) as database:
        assert (await database.get_schema_version()).version == 1


async def test_a_server_that_is_away_is_no_end(ledger: Ledger, address: DatabaseAddress) -> None:
    """It is raised, so that whoever called tries again."""
    nobody = DatabaseAddress(engine=address.engine, host="127.0.0.1", port=1, user="x", database=address.database)
    async with working(ledger, nobody, shop(address), 0, 2) as work:
        with pytest.raises(AdxConnectionError):
            await work.deliver()
    assert await rows.find_run(ledger, "op", target_for(address, 0, 2).id) is None


class TestTakingBack:
    """What a finished operation brought is taken back, and never with what was written since."""

    async def test_nothing_written_nothing_kept(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """What the migration itself filled in is not somebody's."""
        await delivered(ledger, address, 1)
        await rows_in(address, "INSERT INTO orders VALUES (1, 'new')")
        await delivered(ledger, address, 3, operation="op-2")
        result = await self._undo(ledger, address, "op-2")
        assert (result.outcome, result.version) == ("restored", 1)
        assert await rows_in(address, "SELECT id, note FROM orders") == [(1, "new")]
        run = await rows.find_run(ledger, "op-2", result.target)
        assert run is not None
        assert run.status == "undone"

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE orders SET status = 'paid' WHERE id = 1",
            "INSERT INTO orders VALUES (2, 'b', 'paid')",
            "UPDATE orders SET status = CASE id WHEN 1 THEN 'b' ELSE 'a' END WHERE id < 3",
        ],
    )
    async def test_a_value_that_was_written_keeps_the_version(
        self, ledger: Ledger, address: DatabaseAddress, statement: str
    ) -> None:
        """It is said which column, and nothing is touched."""
        await delivered(ledger, address, 1)
        await rows_in(address, "INSERT INTO orders VALUES (1, 'a')")
        await delivered(ledger, address, 3, operation="op-2")
        await rows_in(address, statement)
        result = await self._undo(ledger, address, "op-2")
        assert (result.outcome, result.version) == ("kept", 3)
        assert "orders.status" in result.why
        assert (await self._undo(ledger, address, "op-2", accepts_loss=True)).outcome == "restored"

    async def test_a_row_in_a_new_table_keeps_it(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """A whole table is what would be lost."""
        await delivered(ledger, address, 1)
        await rows_in(address, "INSERT INTO orders VALUES (1, NULL)")
        result = await self._undo(ledger, address, "op")
        assert result.outcome == "kept"
        assert "(orders)" in result.why

    async def test_a_declared_way_down_keeps_what_was_written_too(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """Over two operations: the baseline of each counts."""
        await delivered(ledger, address, 1)
        await delivered(ledger, address, 2, operation="op-2")
        await delivered(ledger, address, 3, operation="op-3")
        async with working(ledger, address, shop(address), 3, 1, operation="down") as work:
            assert (await work.planned()).direction == "down"
        await rows_in(address, "INSERT INTO orders VALUES (1, 'a', 'paid')")
        async with working(ledger, address, shop(address), 3, 1, operation="down") as work:
            with pytest.raises(RowsWouldBeLost, match=r"orders\.status"):
                await work.planned()
            assert (await work.deliver()).outcome == "kept"

    async def test_what_nobody_measured_counts_as_written(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """A worker died after the last script: what was written before the next one came is not known."""
        async with working(ledger, address, shop(address), 0, 2) as work:
            plan = await work.planned()
            await work.protect(plan)
            for one in plan.migrations:
                await work.database.apply_migration(one)
        assert (await delivered(ledger, address, 2)).outcome == "delivered"
        assert (await self._undo(ledger, address, "op")).outcome == "kept"

    async def test_what_was_written_before_it_was_verified_keeps_the_version(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """It is counted where the scripts end: services write from then on, whoever verifies, and however late."""
        await self._written_once_executed(ledger, address)
        async with working(ledger, address, shop(address), 1, 3, operation="two", holder="another") as work:
            assert (await work.deliver()).outcome == "delivered"
        result = await self._undo(ledger, address, "two")
        assert (result.outcome, result.version) == ("kept", 3)
        assert "orders.status" in result.why

    async def test_a_run_that_fails_after_its_scripts_loses_nothing_that_was_written(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """Not taken back when somebody wrote meanwhile; what the scripts wrote is nobody's."""
        await self._written_once_executed(ledger, address)
        result = await self._taken_back(ledger, address)
        assert (result.outcome, result.version) == ("needs-operator", 3)
        assert "orders.status" in result.why
        await rows_in(address, "UPDATE orders SET status = 'a'")
        assert (await self._taken_back(ledger, address)).outcome == "restored"

    async def test_a_run_that_was_left_half_way_goes_back_when_somebody_accepts_the_loss(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """As its message says; that it is not known what is lost is in the audit trail."""
        await self._written_once_executed(ledger, address)
        assert (await self._taken_back(ledger, address)).outcome == "needs-operator"
        async with working(ledger, address, shop(address), 3, 1, operation="down", accepts_loss=True) as work:
            result = await work.deliver()
        assert (result.outcome, result.version) == ("delivered", 1)
        (entry,) = await audit.entries(ledger)
        assert entry.detail["lost"] == ["not known"]

    async def test_who_accepts_a_loss_and_what_is_lost_are_in_the_audit_trail(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """All of it, and no more than once; nothing where nothing is lost."""
        await delivered(ledger, address, 1)
        await delivered(ledger, address, 2, operation="op-2")
        await self._undo(ledger, address, "op-2", accepts_loss=True)
        assert [one.action for one in await audit.entries(ledger)] == []
        await delivered(ledger, address, 2, operation="op-3")
        await rows_in(address, "INSERT INTO orders VALUES (1, 'a', 'paid')")
        assert (await self._undo(ledger, address, "op-3", accepts_loss=True)).outcome == "restored"
        (entry,) = await audit.entries(ledger)
        assert (entry.action, entry.actor, entry.detail["lost"]) == ("migrations.lost", "ada", ["orders.status"])

    async def test_a_schema_that_is_not_what_it_was_needs_a_person(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """The down script leaves something: the difference is shown."""
        leaves = (SHOP[0], ("ALTER TABLE orders ADD COLUMN a int", "SELECT 1"))
        async with working(ledger, address, scripts_of(address.engine, *leaves), 0, 1) as work:
            await work.deliver()
        async with working(ledger, address, scripts_of(address.engine, *leaves), 1, 2, operation="two") as work:
            await work.deliver()
            run = await rows.find_run(ledger, "two", work.target.id)
            assert run is not None
            result = await work.take_back(run, "", is_undo=True)
        assert result.outcome == "needs-operator"
        assert "column a" in result.why

    async def test_what_was_left_half_way_is_what_goes_back_and_no_version_more(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """Also when that was refused first, and when its way down failed and was itself restored."""
        target = await self._left_at_four(ledger, address)
        async with working(ledger, address, shop(address), 4, 3, operation="down") as work:
            assert (await work.deliver()).outcome == "kept"
        assert await self._next_back(ledger, target) == ("up", "needs-operator")
        broken = scripts_of(address.engine, *SHOP[:3], (SHOP[3][0], "ALTER TABLE nothing ADD COLUMN note integer"))
        async with working(ledger, address, broken, 4, 3, operation="broken", accepts_loss=True) as work:
            result = await work.deliver()
        assert (result.outcome, result.version) == ("restored", 4), result
        assert result.why.endswith("it is as up left it, half way")
        assert await self._next_back(ledger, target) == ("up", "needs-operator")
        async with working(ledger, address, shop(address), 4, 3, operation="again", accepts_loss=True) as work:
            assert (await work.deliver()).outcome == "delivered"
        async with open_database(address) as database:
            assert (await database.get_schema_version()).version == 3

    async def test_what_was_left_half_way_and_is_there_is_the_next_to_go_back(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """Who delivers it again finds it done, and the run that did it is the one that brought the version."""
        target = await self._left_at_four(ledger, address)
        assert (await delivered(ledger, address, 4, operation="more")).why == "had it already"
        assert await self._next_back(ledger, target) == ("up", "applied")
        run, known = await rows.find_run(ledger, "up", target), await rows.find_target(ledger, target)
        assert run is not None
        assert known is not None
        assert (run.status, run.catalog_after) == ("delivered", known.catalog)

    async def test_what_fails_after_something_half_way_was_brought_back_by_it_needs_nobody(
        self, ledger: Ledger, address: DatabaseAddress
    ) -> None:
        """A run that was ended before its first script leaves nothing half way."""
        await delivered(ledger, address, 1)
        async with working(ledger, address, shop(address), 1, 2, operation="up") as work:
            await work.protect(await work.planned())
        await rows.abandon(ledger, "staging", "up", "terminated")
        broken = scripts_of(address.engine, SHOP[0], ("UPDATE orders SET nothing = 1", "SELECT 1"))
        async with working(ledger, address, broken, 1, 2, operation="broken") as work:
            assert (await work.deliver()).outcome == "restored"
        known = await rows.find_target(ledger, target_for(address, 1, 2).id)
        assert known is not None
        assert known.status == "restored"

    @staticmethod
    async def _left_at_four(ledger: Ledger, address: DatabaseAddress) -> str:
        """Version 3 was delivered; the operation ``up`` brought 4, and was ended before it looked at it."""
        await delivered(ledger, address, 2)
        await delivered(ledger, address, 3, operation="three")
        async with working(ledger, address, shop(address), 3, 4, operation="up") as work:
            plan = await work.planned()
            await work.protect(plan)
            await work.execute(plan)
        await rows.abandon(ledger, "staging", "up", "it was terminated")
        return target_for(address, 3, 4).id

    @staticmethod
    async def _next_back(ledger: Ledger, target: str) -> tuple[str, str]:
        """The operation that a rollback would take back, and what the target is."""
        known = await rows.find_target(ledger, target)
        assert known is not None
        return (await rows.newest_runs(ledger, "staging"))[target].operation_id, known.status

    async def _written_once_executed(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """A row that was there, the scripts' end, and then somebody's write."""
        await delivered(ledger, address, 1)
        await rows_in(address, "INSERT INTO orders VALUES (1, 'a')")
        await self._executed_only(ledger, address)
        await rows_in(address, "UPDATE orders SET status = 'paid'")

    @staticmethod
    async def _executed_only(ledger: Ledger, address: DatabaseAddress) -> None:
        """The worker dies once the scripts have ended."""
        async with working(ledger, address, shop(address), 1, 3, operation="two") as work:
            plan = await work.planned()
            await work.protect(plan)
            assert await work.execute(plan) == 2

    @staticmethod
    async def _taken_back(ledger: Ledger, address: DatabaseAddress) -> TargetResult:
        async with working(ledger, address, shop(address), 1, 3, operation="two", holder="third") as work:
            run = await rows.find_run(ledger, "two", work.target.id)
            assert run is not None
            return await work.take_back(run, "no answer", is_undo=False)

    @staticmethod
    async def _undo(
        ledger: Ledger, address: DatabaseAddress, operation: str, *, accepts_loss: bool = False
    ) -> TargetResult:
        async with working(ledger, address, shop(address), 0, 3, operation="undo", accepts_loss=accepts_loss) as work:
            run = await rows.find_run(ledger, operation, work.target.id)
            assert run is not None
            return await work.take_back(run, "", is_undo=True)


class TestRefused:
    """Nothing is touched, and the ledger keeps why."""

    async def test_a_schema_that_is_ahead(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """Nobody declared that version."""
        await delivered(ledger, address, 3)
        async with working(ledger, address, shop(address), 1, 2, operation="op-2") as work:
            result = await work.deliver()
        assert result.outcome == "restored"
        assert "has version 3, declared are 1 before and 2 now" in result.why
        (target,) = await rows.targets_of(ledger, "staging")
        assert (target.version, target.status) == (3, "refused")

    async def test_a_changed_script(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """Both checksums are in the message."""
        await delivered(ledger, address, 1)
        changed = scripts_of(address.engine, ("CREATE TABLE orders (id bigint PRIMARY KEY)", SHOP[0][1]), SHOP[1])
        async with working(ledger, address, changed, 1, 2, operation="op-2") as work:
            assert "was changed after it was applied" in (await work.deliver()).why

    async def test_a_schema_that_somebody_dropped(self, ledger: Ledger, postgres_address: DatabaseAddress) -> None:
        """Made for a new tenant only: an empty schema for an old one would look like success."""
        gone = postgres_address.at(schema="acme")
        async with working(ledger, gone, shop(gone), 2, 3, is_new=False) as work:
            result = await work.deliver()
        assert "there is no schema" in result.why
        async with working(ledger, gone, shop(gone), 0, 3, operation="op-2") as work:
            assert (await work.deliver()).outcome == "delivered"

    async def test_what_nothing_brings_back(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """An irreversible script without a backup."""
        scripts = scripts_of(address.engine, SHOP[0], ("ALTER TABLE orders DROP COLUMN note", None))
        async with working(ledger, address, scripts, 0, 2) as work:
            plan, catalog = await work.planned(), await work.database.catalog()
            with pytest.raises(NotTakenBack, match="irreversible"):
                Protection().needs_backup(plan, catalog)
            assert "no backup can be made" in (await work.deliver()).why

    async def test_a_backup_that_would_carry_rows_of_another_tenant(
        self, ledger: Ledger, address: DatabaseAddress, tmp_path: Path
    ) -> None:
        """The schema is acme's alone: what it holds of others may be in no backup of it."""
        scripts = scripts_of(
            address.engine,
            ("CREATE TABLE orders (id integer PRIMARY KEY, tenant varchar(20))", "DROP TABLE orders"),
            ("ALTER TABLE orders DROP COLUMN id", None),
        )
        async with working(ledger, address, scripts, 0, 1) as work:
            await work.deliver()
        await rows_in(address, "INSERT INTO orders VALUES (1, 'globex')")
        protection = Protection(store_in(tmp_path))
        async with working(ledger, address, scripts, 1, 2, operation="op-2", protection=protection) as work:
            result = await work.deliver()
        assert (result.outcome, result.version) == ("restored", 1)
        assert "name another tenant in orders.tenant" in result.why

    async def test_a_database_of_another_environment(self, ledger: Ledger, address: DatabaseAddress) -> None:
        """Two environments on one schema would undo one another's work."""
        await delivered(ledger, address, 1)
        claim = TargetClaim(environment="production", operation_id="x", holder="y")
        target = ClaimedTarget(target=target_for(address, 0, 1).id, scripts="shop", engine="mysql", tenants=[])
        with pytest.raises(LedgerRefused, match="migrated by the environment staging"):
            await claims.claim(ledger, claim, [target])


async def test_drift_is_shown_as_a_diff(ledger: Ledger, address: DatabaseAddress) -> None:
    """What a person changed by hand differs from what was recorded."""
    await delivered(ledger, address, 2)
    (target,) = await rows.targets_of(ledger, "staging")
    async with working(ledger, address, shop(address), 2, 2, operation="look") as work:
        before = msgspec.convert(await rows.catalog_body(ledger, target.catalog or ""), Catalog)
        assert drift(before, await work.database.catalog()) == ()
        await work.database.execute_query("ALTER TABLE orders ADD COLUMN by_hand int")
        assert any("column by_hand" in line for line in drift(before, await work.database.catalog()))
