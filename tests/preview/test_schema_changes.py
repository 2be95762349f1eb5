"""Which way databases go, which scripts are this pull request's own, what is lost, and what of it may be shown."""

from __future__ import annotations

import re

import msgspec
import pytest

from pipelines.preview.folding import size
from pipelines.preview.markdown import LIMIT, markdown
from pipelines.preview.migrations.changes import (
    SchemaChange,
    Sides,
    edited_scripts,
    from_recorded,
    is_touched,
    schema_changes,
)
from pipelines.preview.migrations.losses import losses_of
from pipelines.preview.migrations.outline import Asked, outline, worst
from pipelines.preview.migrations.report import BackupOutline, DataLoss
from pipelines.preview.migrations.words import duration_words
from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.safety.findings import TableAtStake
from policies.migrations.safety.judging import counted_tables
from policies.migrations.spec import Engine
from policies.migrations.sql_values import without_values
from tests.migrations.scripts import scripts_of
from tests.preview import inert
from tests.preview.examples import report, shop, state
from tests.preview.schema_examples import (
    BOTH,
    DROPPED,
    FILLED,
    FOR_GOOD,
    INDEX,
    ORDERS,
    SERVER,
    SMALL,
    STATUS,
    WAIVER,
    Migration,
    asked,
    column_dropped_too_early,
    databases,
    declarations,
    index_on_a_small_table,
    index_waived,
    script_edited,
    server_unreachable,
    unsafe_index,
)
from tests.support.desired import tenant_unit
from workflows.migrations.backup.choosing import ServerFacts, choose
from workflows.migrations.backup.stakes import at_stake
from workflows.migrations.planning import as_declared

FILE = "infra/databases/shop/0003_step_3.up.sql"


def files(change: SchemaChange) -> list[tuple[int, bool]]:
    """Versions of the scripts to run, and whether the pull request brings them."""
    scripts = ((one.version, one.script(change.plan.direction)) for one in change.plan.migrations)
    return [(version, script is not None and script.file in change.proposed) for version, script in scripts]


def test_the_way_begins_at_what_is_delivered_and_knows_what_was_merged_before() -> None:
    """Version 3 was merged and waits; version 4 is this pull request's."""
    made = Migration(ORDERS, STATUS, INDEX, FILLED, versions=(3, 4))
    delivered = state(*databases(2, ("acme", "globex")))
    made.sides = Sides(made.sides.before, made.sides.after, {"shop": scripts_of("postgresql", ORDERS, STATUS)})
    (way,), problems = made.changes(delivered)

    assert (way.plan.from_version, way.plan.to_version, problems) == (2, 4, [])
    assert files(way) == [(3, False), (4, True)]
    findings = made.judged(way, Asked(), ())
    told = outline(way, Asked(), findings)
    assert [one.file for one in findings if one.is_blocking] == [FILE]
    assert told.findings == ()  # another pull request brought them, and was judged for it
    assert [row.is_pending for row in told.scripts] == [True, False]


def test_a_script_that_is_not_delivered_yet_may_still_be_mended() -> None:
    """A migration that failed and was restored is corrected in its own script; that is then judged anew."""
    made = Migration(ORDERS, STATUS, versions=(2, 2))
    delivered = state(*databases(1, ("acme",)))
    edited = scripts_of("postgresql", ORDERS, ("ALTER TABLE orders ADD COLUMN status varchar(9)", STATUS[1]))
    made.sides = Sides(made.sides.before, declarations(2, edited), {"shop": scripts_of("postgresql", ORDERS)})
    ways, problems = made.changes(delivered)

    assert problems == []
    assert [files(way) for way in ways if not way.is_new] == [[(2, True)]]


def test_a_script_that_is_delivered_must_not_change() -> None:
    """It is refused at its file, and the environment counts as affected although no unit differs."""
    (found,) = script_edited().environments

    assert found.verdict == "blocked"
    assert [(one.file, one.rule) for one in found.problems] == [
        ("infra/databases/shop/0002_step_2.up.sql", "migrations.history")
    ]


def test_a_database_that_lags_behind_excuses_no_edit_of_what_others_have() -> None:
    """Globex still waits for version 2, acme has it."""
    made = Migration(ORDERS, STATUS, versions=(2, 2))
    lagging = {unit.id: unit for unit in databases(1, ("globex",))}
    delivered = state(*(lagging.get(unit.id, unit) if "globex" in unit.id else unit for unit in made.base.units))
    edited = scripts_of("postgresql", ORDERS, ("ALTER TABLE orders ADD COLUMN status varchar(9)", STATUS[1]))
    made.sides = Sides(made.sides.before, declarations(2, edited), made.sides.known)
    ways, problems = made.changes(delivered)

    assert [(way.plan.from_version, way.plan.to_version) for way in ways] == [(1, 2)]
    assert [one.file for one in problems] == ["infra/databases/shop/0002_step_2.up.sql"]


def test_only_scripts_up_to_the_declared_version_count_as_edited() -> None:
    """What nobody has may be written anew."""
    before = declarations(1, scripts_of("postgresql", ORDERS, STATUS))
    later = declarations(1, scripts_of("postgresql", ORDERS, INDEX))
    earlier = declarations(1, scripts_of("postgresql", STATUS, STATUS))

    assert edited_scripts("staging", before, later) == ()
    assert edited_scripts("staging", before, earlier) == ("infra/databases/shop/0001_step_1.up.sql",)
    assert edited_scripts("production", before, earlier) == ()


def test_on_the_way_down_the_scripts_that_only_the_base_has_are_used() -> None:
    """The branch may have removed them."""
    made = Migration(ORDERS, STATUS, INDEX, versions=(3, 2))
    made.sides = Sides(
        declarations(3, scripts_of("postgresql", ORDERS, STATUS, INDEX)),
        declarations(2, scripts_of("postgresql", ORDERS, STATUS)),
        {"shop": scripts_of("postgresql", ORDERS, STATUS, INDEX)},
    )
    (way,), problems = made.changes()

    assert (way.plan.direction, files(way), problems) == ("down", [(3, True)], [])


def test_a_new_tenant_gets_all_scripts_and_none_of_them_is_judged_again() -> None:
    """They are in use elsewhere, and nothing is in its database."""
    made = Migration(ORDERS, STATUS, INDEX, versions=(3, 3))
    made.after = state(*databases(3, ("acme", "globex", "initech")))
    (way,), problems = made.changes()
    told = outline(way, Asked(), made.judged(way, Asked(), ()))

    assert (way.is_new, problems) == (True, [])
    assert told.targets == (f"{SERVER}/shop/initech",)
    assert (told.is_new, told.findings, told.losses, told.backup) == (True, (), (), None)


def test_what_touches_no_database_is_no_change_of_schemas() -> None:
    """A quota, a service, a tenant without a version."""
    before = state(*databases(2, ("acme",)))
    after = state(*databases(2, ("acme",), written_for=1))

    assert not is_touched(before, after)
    assert not is_touched(state(*shop()), state(*shop(level="debug"), tenant_unit("staging", "initech")))
    assert is_touched(before, state(*databases(3, ("acme",))))
    assert is_touched(before, state(*databases(2, ("acme", "globex"))))


def test_services_that_still_need_what_goes_forbid_it() -> None:
    """A rollout would refuse it later."""
    (found,) = column_dropped_too_early().environments

    assert found.verdict == "blocked"
    (problem,) = found.problems
    assert (problem.file, problem.rule) == ("environments/staging/migrations.yaml", "migrations.order")
    assert "cart is written for 2" in problem.what


@pytest.mark.parametrize(
    ("made", "is_blocking"), [(unsafe_index, True), (server_unreachable, True), (index_on_a_small_table, False)]
)
def test_the_size_decides_where_it_is_known(made: object, is_blocking: bool) -> None:
    """Not known is not small."""
    (found,) = made().environments  # type: ignore[operator]

    assert found.verdict == ("blocked" if is_blocking else "ok")
    assert (found.blocking > 0) is is_blocking


def test_one_large_database_among_small_ones_decides() -> None:
    """And one that did not say its size makes all of them unknown."""
    (way,), _ = Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).changes()

    assert worst(way, asked(BOTH)).tables["orders"].rows == 1_250_000
    assert worst(way, asked({"acme": SMALL})).tables == {}


def test_a_table_that_was_never_counted_is_not_small() -> None:
    """The server says 0 rows of a table that was just restored."""
    uncounted = TableAtStake(table="orders", rows=0, bytes=90_000_000)
    empty = TableAtStake(table="empty", rows=0, bytes=16_384)

    assert [one.rows for one in counted_tables([uncounted, empty])] == [None, 0]


def test_how_long_it_takes_is_said_for_the_largest_and_for_all() -> None:
    """Side by side, as many as the server is given."""
    (way,), _ = Migration(ORDERS, STATUS, INDEX, versions=(2, 3)).changes()
    made = Migration(ORDERS, STATUS, INDEX, versions=(2, 3))
    sizes = {"acme": [TableAtStake(table="orders", rows=9, bytes=400_000_000)]}
    sizes["globex"] = [TableAtStake(table="orders", rows=9, bytes=200_000_000)]
    found = asked(sizes, at_once=1)
    told = outline(way, found, made.judged(way, found, ()), [("staging", 3.0), ("development", 9.0)]).duration

    assert (told.seconds, told.all_seconds) == (2.0, 3.0)  # 200 MB a second are read
    assert told.past is not None
    assert (told.past.environments, told.past.median_seconds, told.past.longest_seconds) == (
        ("development", "staging"),
        6.0,
        9.0,
    )
    partly = asked({"acme": sizes["acme"]})
    assert outline(way, partly, made.judged(way, partly, ())).duration.seconds is None


def test_what_nobody_has_weighed_is_no_matter_of_a_second() -> None:
    """Neither a statement that no check finds fault with, nor scripts that could not be checked."""
    fill = ("UPDATE orders SET note = 'x' WHERE note IS NULL", "SELECT 1")
    for script, findings, seconds in ((INDEX, True, 2.4), (INDEX, False, None), (fill, True, None)):
        made = Migration(ORDERS, STATUS, script, versions=(2, 3))
        (way,), _ = made.changes()
        told = outline(way, asked(BOTH), made.judged(way, asked(BOTH), ()) if findings else None)
        assert told.duration.seconds == (pytest.approx(seconds) if seconds else None)
        assert ("is not known" in duration_words(told)) is (seconds is None)


def test_a_database_that_has_a_version_goes_on_from_it() -> None:
    """A tenant that went kept its data; what a later script drops of them is a loss."""
    made = Migration(ORDERS, STATUS, FILLED, FOR_GOOD, versions=(4, 4))
    made.after = state(*databases(4, ("acme", "globex", "initech")))
    (way,), _ = made.changes()
    recorded = as_declared(made.scripts, 2)
    changed, problems = from_recorded(way, recorded, (made.base, made.after), made.sides)

    assert (way.plan.from_version, problems) == (0, [])
    assert changed is not None
    assert (changed.is_new, files(changed)) == (False, [(3, False), (4, False)])
    assert [one.kind for one in outline(changed, Asked(), ()).losses] == ["no-way-back", "loses-data"]
    assert from_recorded(way, as_declared(made.scripts, 4), (made.base, made.after), made.sides) == (None, [])


@pytest.mark.parametrize(
    ("engine", "text", "expected"),
    [
        ("postgresql", "DROP TABLE orders", "drops the table orders"),
        ("postgresql", "ALTER TABLE orders DROP COLUMN IF EXISTS note, DROP status", "drops the columns note, status"),
        ("mysql", "ALTER TABLE orders DROP note", "drops the column note of orders"),
        ("postgresql", "TRUNCATE orders", "empties the table orders"),
        ("postgresql", "DELETE FROM orders WHERE id < 5", "deletes rows of orders"),
        ("postgresql", "DROP TABLE orders; CREATE TABLE orders (id int)", "drops the table orders"),
        ("mysql", "DROP TABLE orders; CREATE TABLE orders (id int)", "drops the table orders"),
        (
            "postgresql",
            "CREATE TABLE archive.orders AS SELECT * FROM orders; DROP TABLE orders",
            "drops the table orders",
        ),
        (
            "postgresql",
            "CREATE TABLE IF NOT EXISTS orders (id int); ALTER TABLE orders DROP COLUMN total",
            "drops the column total of orders",
        ),
        ("mysql", "CREATE OR REPLACE TABLE orders (id int)", "replaces the table orders"),
        ("mysql", "CREATE OR REPLACE TABLE t (id int); CREATE OR REPLACE TABLE t (a int)", "replaces the table t"),
        ("mysql", "CREATE TABLE t (id int); CREATE OR REPLACE TABLE t (a int)", ""),
        ("postgresql", "ALTER TABLE orders DROP CONSTRAINT orders_pkey", ""),
        ("mysql", "ALTER TABLE orders DROP INDEX orders_note", ""),
        ("postgresql", "ALTER TABLE orders ALTER COLUMN note DROP NOT NULL", ""),
        ("postgresql", "DROP INDEX orders_note", ""),
        ("postgresql", "UPDATE orders SET note = status", ""),
    ],
)
def test_what_loses_rows_or_values_is_known_by_its_words(engine: Engine, text: str, expected: str) -> None:
    """Constraints, defaults and indexes can be made again."""
    scripts = scripts_of(engine, (text, "SELECT 1"))
    plan = plan_migration(scripts, SchemaVersion(version=0, applied=()), 1)
    found = [one.what for one in losses_of(plan, engine, ())]

    assert len(found) == bool(expected)
    assert all(one.startswith(expected) for one in found)


def test_what_the_same_plan_has_made_is_no_loss() -> None:
    """Nobody has put anything there."""
    scripts = scripts_of("postgresql", ORDERS, ("DROP TABLE orders", ORDERS[0]))

    assert list(losses_of(plan_migration(scripts, SchemaVersion(version=0, applied=()), 2), "postgresql", ())) == []


def test_a_version_without_a_way_back_is_told_with_its_reason() -> None:
    """Beside what it drops."""
    (way,), _ = Migration(ORDERS, STATUS, FILLED, FOR_GOOD, versions=(3, 4), written_for=(3, 3)).changes()
    found = list(losses_of(way.plan, "postgresql", way.proposed))

    assert [(one.kind, one.line) for one in found] == [("no-way-back", 0), ("loses-data", 4)]
    assert "nothing can bring it back" in found[0].what


CANARY = "canary-71c2"


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("postgresql", f"CREATE ROLE app PASSWORD '{CANARY}'"),
        ("postgresql", f"SELECT E'it\\'s {CANARY}', $x${CANARY}$x$, U&'{CANARY}'"),
        ("postgresql", f"UPDATE t SET k = '{CANARY} and what was cut"),
        ("mysql", f'CREATE USER app IDENTIFIED BY "{CANARY}"'),
        ("mysql", f"INSERT INTO keys VALUES ('it\\'s', '{CANARY}')"),
        ("postgresql", f"SELECT set_key( -- the new key\n '{CANARY}')"),
        ("postgresql", f"SELECT /* {CANARY} */ set_key('x') -- {CANARY}"),
        ("mysql", f"CALL set_key( # the new key\n '{CANARY}')"),
    ],
)
def test_what_stands_between_quotation_marks_is_not_shown(engine: Engine, text: str) -> None:
    """It is data, whatever it is called; names and words stay."""
    shown = without_values(text, engine)

    assert CANARY not in shown
    assert "•••" in shown
    assert shown.split(maxsplit=1)[0] == text.split(maxsplit=1)[0]


def test_no_value_of_a_script_reaches_the_report() -> None:
    """Neither by a finding, nor by the reason for a backup."""
    index = (f"CREATE INDEX i ON orders (id) WHERE note = '{CANARY}' AND status = 'api_key={CANARY}'", "DROP INDEX i")
    made = Migration(ORDERS, STATUS, index, DROPPED, versions=(2, 3))
    found = asked(BOTH)
    assert found.backup is not None
    quoted = msgspec.structs.replace(found.backup, reason=f"nobody can tell what this touches: SELECT f('{CANARY}")
    one = made.report(asked(BOTH, quoted))

    told = msgspec.json.encode(one).decode()
    assert CANARY not in told
    assert one.migrations[0].blocking
    assert "nobody can tell what this touches" in told


def test_a_comment_hides_no_value_when_its_lines_are_joined() -> None:
    """What follows on the next line is masked as a string, in the reason for a backup as in a finding."""
    call = (f"SELECT set_key( -- the new key\n '{CANARY}')", "SELECT 1")
    index = (f"CREATE INDEX i -- {CANARY} isn't used\n ON orders (id) WHERE note = '{CANARY}'", "DROP INDEX i")
    made = Migration(ORDERS, STATUS, index, call, versions=(2, 4))
    (way,), _ = made.changes()
    choice = choose(at_stake(way.plan, "postgresql"), ServerFacts(sizes=(), uncopyable={}, may_copy=True))
    one = made.report(asked(BOTH, BackupOutline(strategy=choice.strategy, reason=choice.reason)))

    assert (choice.strategy, CANARY in choice.reason) == ("dump", False)
    told = msgspec.json.encode(one).decode()
    assert CANARY not in told
    assert "SELECT set_key( '•••" in told
    assert "CREATE INDEX i ON orders (id) WHERE note = '•••'" in told


def test_a_problem_is_told_once_however_many_databases_have_it() -> None:
    """A new tenant's database and the old ones go different ways with the same scripts."""
    made = Migration(ORDERS, STATUS, FILLED, DROPPED, versions=(3, 4), written_for=(2, 2))
    made.after = state(*databases(4, ("acme", "globex", "initech"), written_for=2))
    ways, problems = schema_changes("staging", made.base, made.after, made.sides)

    assert [way.is_new for way in ways] == [False, True]
    assert len(problems) == len(set(problems))


def test_a_flood_of_findings_fits_into_a_comment_and_is_counted() -> None:
    """What blocks is kept longest, what is left out is said."""
    (one,) = unsafe_index().environments
    (way,) = one.migrations
    many = tuple(msgspec.structs.replace(way.findings[0], line=number) for number in range(1, 901))
    flood = report(msgspec.structs.replace(one, migrations=(msgspec.structs.replace(way, findings=many),)))
    text = markdown(flood)

    assert size(text) <= LIMIT
    assert "blocked by 900 unsafe database statements" in text
    assert "findings in database scripts not shown here" in text
    assert "### Database migrations" in text
    assert LIMIT // 4 < text.index("findings in database scripts not shown here") < LIMIT // 2


def test_what_people_wrote_of_migrations_is_inert() -> None:
    """A waiver and the reason why there is no way back are text of others."""
    hostile = "</details> @everyone [x](https://evil.example) <img src=x> ![i](j) | `code` #1"
    (one,) = index_waived().environments
    (way,) = one.migrations
    waiver = msgspec.structs.replace(WAIVER, reason=hostile, owner=hostile)
    finding = msgspec.structs.replace(way.findings[0], waiver=waiver, detail=hostile, statement=hostile)
    loss = DataLoss(file=FILE, line=0, what=f"no script takes it back ({hostile})", kind="no-way-back")
    changed = msgspec.structs.replace(way, findings=(finding,), losses=(loss,), rows_unknown=(hostile,))
    text = markdown(report(msgspec.structs.replace(one, migrations=(changed,))))

    assert "evil.example" in text
    for block in inert.html(text):
        assert block.strip().startswith(("<details><summary>", "</details>"))
    assert [token.type for token in inert.tokens(text) if token.type in ("link_open", "image")] == []
    assert not {"@everyone", "#1", "evil"} & set(re.split(r"[\s./:]", inert.words(text)))
