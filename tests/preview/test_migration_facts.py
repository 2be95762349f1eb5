"""What is found out about databases for a preview: from git objects, the real checks, and absent servers."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from pipelines.preview.gather import Gatherer
from pipelines.preview.migrations.facts import found_migrations
from pipelines.preview.migrations.policy import BY_SIZE, with_migrations
from pipelines.preview.migrations.report import FoundMigrations, MigrationOutline
from pipelines.preview.policy import PolicyAnswer
from tests.preview.schema_examples import INDEX, ORDERS, STATUS
from tests.preview.schema_repository import ENVIRONMENT, declared, proposed, question, waived
from workflows.migrations import squawk

CANARY = "canary-pw-90b3"
CHECK = "pg.require-concurrent-index-creation"
FILE = "infra/databases/shop/0003_step_3.up.sql"
BASE, TOPIC = declared(2, (ORDERS, STATUS)), declared(3, (ORDERS, STATUS, INDEX))
# What a table holds decides nothing here: a type that is too small is wrong for one row, too.
RENAMED = ("ALTER TABLE orders RENAME COLUMN note TO remark", "ALTER TABLE orders RENAME COLUMN remark TO note")


@pytest.fixture
def closed_url() -> Iterator[str]:
    """The address of a server that refuses connections, with a password."""
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port meanwhile
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://shop:{CANARY}@127.0.0.1:{taken.getsockname()[1]}/shop"


async def looked(folder: Path, environ: dict[str, str], **files: bytes) -> FoundMigrations:
    """What is found of the index that the topic brings."""
    return await found_migrations(question(proposed(folder, BASE, {**TOPIC, **files}), environ))


def only(found: FoundMigrations) -> MigrationOutline:
    """The one way that was found."""
    assert (found.problems, found.unchecked) == ((), ())
    (one,) = found.outlines
    return one


async def test_without_an_address_scripts_are_judged_and_it_is_said_what_is_missing(tmp_path: Path) -> None:
    """The repository has no work tree at all."""
    one = only(await looked(tmp_path, {}))

    assert (one.from_version, one.to_version, one.targets) == (2, 3, ("shop-eu/shop/acme",))
    assert [(row.file, row.when) for row in one.scripts] == [(FILE, "before the services")]
    (finding,) = one.blocking
    assert (finding.check, finding.file, finding.line, finding.lock) == (CHECK, FILE, 1, "SHARE")
    assert one.rows_unknown == (
        "the server shop-eu has no address here; set ADX_DATABASE_SHOP_EU_URL for the preview to read sizes",
    )
    assert one.backup is not None
    assert (one.backup.strategy, one.backup.restore_seconds) == ("down_script", None)


async def test_a_server_that_is_not_there_is_told_and_fails_nothing(tmp_path: Path, closed_url: str) -> None:
    """Its password is not told."""
    found = await looked(tmp_path, {"ADX_DATABASE_SHOP_EU_URL": closed_url})
    one = only(found)

    assert len(one.rows_unknown) == 1
    assert "127.0.0.1" in one.rows_unknown[0]
    assert len(one.blocking) == 1
    assert CANARY not in msgspec.json.encode(found).decode()


@pytest.mark.parametrize(("in_base", "is_blocking"), [(True, False), (False, True)])
async def test_waivers_are_those_of_the_base(tmp_path: Path, in_base: bool, is_blocking: bool) -> None:
    """A change cannot excuse itself, and it is said that its waiver counts later."""
    waiver = waived(CHECK, FILE)
    base, topic = {**BASE, **(waiver if in_base else {})}, {**TOPIC, **waiver}
    found = await found_migrations(question(proposed(tmp_path, base, topic), {}))

    assert bool(only(found).blocking) is is_blocking
    assert any("counts only after the merge" in note for note in found.notes) is not in_base


async def test_a_waiver_that_has_expired_waives_nothing(tmp_path: Path) -> None:
    """It is shown as such."""
    base = {**BASE, **waived(CHECK, FILE, expires="1970-05-31")}
    one = only(await found_migrations(question(proposed(tmp_path, base, {**base, **TOPIC}), {})))

    assert [finding.is_waiver_expired for finding in one.blocking] == [True]


async def test_an_edited_script_affects_the_environments_that_have_it_and_is_refused(tmp_path: Path) -> None:
    """No unit differs, and the checksums in adx.sum are those of the edited script."""
    edited = declared(2, (ORDERS, ("ALTER TABLE orders ADD COLUMN status varchar(9)", STATUS[1])))
    change = proposed(tmp_path, BASE, edited)
    found = await found_migrations(question(change, {}))

    assert change.affected() == [ENVIRONMENT]
    (problem,) = found.problems
    assert problem.file == "infra/databases/shop/0002_step_2.up.sql"
    assert "was changed after it was applied: recorded" in problem.what


async def test_without_a_checker_nothing_counts_as_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends without an answer."""
    monkeypatch.setattr(squawk, "_program", lambda: "false")
    found = await looked(tmp_path, {})

    assert [one.findings for one in found.outlines] == [()]
    assert [text for text in found.unchecked if text.startswith("migrations of shop: squawk")] == list(found.unchecked)
    assert len(found.unchecked) == 1


async def test_what_was_merged_before_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes follows from that, although another pull request was judged for it."""
    resized = TOPIC["tenants/acme.yaml"].replace(b"4Gi", b"8Gi")
    asking = question(proposed(tmp_path / "now", TOPIC, {**TOPIC, "tenants/acme.yaml": resized}), {})
    delivered = proposed(tmp_path / "then", BASE, TOPIC).of(ENVIRONMENT).base
    monkeypatch.setattr(squawk, "_program", lambda: "false")
    found = await found_migrations(replace(asking, start=delivered))

    (one,) = found.outlines
    assert [(row.file, row.is_pending) for row in one.scripts] == [(FILE, True)]
    assert [text for text in found.unchecked if text.startswith("migrations of shop: squawk")]


async def test_a_cluster_that_is_not_there_hides_no_database(tmp_path: Path) -> None:
    """The way then begins at what the base declares."""
    gatherer = Gatherer(proposed(tmp_path, BASE, TOPIC), {}, lambda _: None)
    ((one,), _) = await gatherer.preview([ENVIRONMENT], PolicyAnswer)

    assert one.report.unchecked  # of the cluster
    assert one.report.verdict == "blocked"
    assert [(way.from_version, way.to_version) for way in one.report.migrations] == [(2, 3)]


async def test_the_policy_check_finds_the_same_and_leaves_to_the_preview_what_sizes_decide(tmp_path: Path) -> None:
    """It has no credentials, and cannot know whether a table is small."""
    change = proposed(tmp_path, BASE, declared(4, (ORDERS, STATUS, INDEX, RENAMED)))
    empty = PolicyAnswer(checked_objects=3)
    found = await asyncio.to_thread(with_migrations, empty, change, [ENVIRONMENT])

    told = {one.check: one for one in found.findings[ENVIRONMENT]}
    assert (told[CHECK].is_blocking, told[CHECK].detail) == (False, BY_SIZE)
    assert (told["pg.renaming-column"].is_blocking, told["pg.renaming-column"].unit) == (True, "database/shop")
    assert (found.is_failing, found.checked_objects) == (True, 3)


IMPORTS = """
import asyncio, sys
from pathlib import Path
from pipelines.preview.migrations import policy as migration_policy
from pipelines.preview.changes import read
from pipelines.preview.gather import Gatherer
from pipelines.preview.policy import PolicyAnswer
change = read(Path(sys.argv[1]), "main", "topic")
asyncio.run(Gatherer(change, {}, lambda _: None).preview(["production"], PolicyAnswer))
unwanted = ("psycopg", "pymysql", "sqlglot", "workflows.clients.databases", "workflows.migrations.checking")
print(*sorted(name for name in sys.modules if name in unwanted))
"""


@pytest.mark.parametrize("is_touched", [False, True])
def test_a_change_that_touches_no_database_loads_nothing_of_them(tmp_path: Path, is_touched: bool) -> None:
    """Neither a driver nor what would use one; where one is touched, what reads it is loaded."""
    raised = TOPIC if is_touched else {**BASE, "tenants/acme.yaml": BASE["tenants/acme.yaml"].replace(b"4Gi", b"8Gi")}
    change = proposed(tmp_path, BASE, raised)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(change.repository)], capture_output=True, text=True, check=True
    )

    assert change.affected()
    assert bool(done.stdout.strip()) is is_touched, done.stdout
