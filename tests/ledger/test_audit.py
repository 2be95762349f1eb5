"""The audit trail only grows, and shows when somebody made it do otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from workflows.ledger import Ledger, audit
from workflows.ledger.errors import AuditTampered, LedgerConflict, LedgerRefused
from workflows.ledger.models import AuditEntry, AuditRow

FORGERIES = {
    "newline": "ada\nrollout.delivered production",
    "carriage return": "ada\rroot",
    "NUL": "ada\x00",
    "escape sequence": "ada\x1b[2K",
    "line separator": "ada\u2028root",
    "bidirectional override": "ada\u202eadr",
    "empty": "",
    "too long": "a" * 513,
}


async def test_entries_are_kept_in_order_and_their_chain_holds(ledger: Ledger) -> None:
    written = await _write(ledger, 5)

    head = await audit.verify_chain(ledger)

    assert (head.sequence, head.hash) == (5, written[-1].hash)
    assert list(await audit.entries(ledger)) == written[::-1]
    assert list(await audit.entries(ledger, before=3, limit=1)) == [written[1]]


async def test_an_empty_trail_holds(ledger: Ledger) -> None:
    assert await audit.verify_chain(ledger) == audit.GENESIS


async def test_an_event_is_written_once_under_its_key(ledger: Ledger) -> None:
    first = await audit.append(ledger, _entry(1))

    assert await audit.append(ledger, _entry(1)) == first
    with pytest.raises(LedgerConflict, match="event-1"):
        await audit.append(ledger, AuditEntry(key="event-1", actor="eve", source="cli", action="rollout.approved"))


async def test_writers_at_once_make_one_chain(ledger: Ledger) -> None:
    await asyncio.gather(*(audit.append(ledger, _entry(number)) for number in range(20)))

    assert (await audit.verify_chain(ledger)).sequence == 20


@pytest.mark.parametrize("field", ["key", "actor", "source", "action", "environment", "commit"])
@pytest.mark.parametrize("name", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_name_that_could_forge_a_line_is_refused(ledger: Ledger, field: str, name: str) -> None:
    fields = {"key": "k", "actor": "ada", "source": "cli", "action": "rollout.approved"} | {field: name}

    with pytest.raises(LedgerRefused, match=field) as caught:
        await audit.append(ledger, AuditEntry(**fields))

    assert "\n" not in str(caught.value)
    assert await audit.entries(ledger) == ()


@pytest.mark.parametrize("name", [name for name in FORGERIES.values() if name])
async def test_an_escaped_name_is_accepted(ledger: Ledger, name: str) -> None:
    fields = AuditEntry(key="k", actor=audit.escape_name(name), source="webhook", action="rollout.started")

    assert (await audit.append(ledger, fields)).actor.startswith("a")


async def test_the_database_itself_refuses_control_characters(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefused, match="audit_has_no_control_characters"):
        await _run(
            ledger,
            "INSERT INTO audit VALUES (1, now(), 'k', E'ada\\nroot', 'cli', 'a', NULL, NULL, '{}', 'p', 'h')",
        )


async def test_details_keep_any_text_and_number(ledger: Ledger) -> None:
    detail = {"text": "a\nb\u202e\x00", "number": 1e300, "float": 1.0, "list": [None, True, {"z": 1, "a": 2}]}

    written = await audit.append(ledger, AuditEntry(key="k", actor="a", source="s", action="x", detail=detail))

    assert written.detail == detail
    await audit.verify_chain(ledger)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_the_trail_cannot_be_changed(ledger: Ledger, statement: str) -> None:
    written = await _write(ledger, 2)

    with pytest.raises(LedgerRefused):
        await _run(ledger, statement)
    with pytest.raises(LedgerRefused):  # a replication role silences ordinary triggers
        await _run(ledger, "SET LOCAL session_replication_role = replica", statement)

    assert list(await audit.entries(ledger)) == written[::-1]


TAMPERINGS = {
    "a changed actor": ("UPDATE audit SET actor = 'eve' WHERE sequence = 2", "row 2 .*was changed"),
    "a changed detail": ("""UPDATE audit SET detail = '{"number":9}' WHERE sequence = 2""", "row 2 .*was changed"),
    "a changed time": ("UPDATE audit SET at = at - interval '1 hour' WHERE sequence = 2", "row 2 .*was changed"),
    "a removed row": ("DELETE FROM audit WHERE sequence = 2", "row 2 .*is missing"),
    "a removed beginning": ("DELETE FROM audit WHERE sequence = 1", "row 1 .*is missing"),
    "rows in another order": (
        (
            "UPDATE audit SET sequence = CASE sequence WHEN 2 THEN 30 ELSE 20 END WHERE sequence IN (2, 3); "
            "UPDATE audit SET sequence = sequence / 10 WHERE sequence IN (20, 30)"
        ),
        "row 2 .*does not follow",
    ),
}


@pytest.mark.parametrize(("statements", "finding"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_what_somebody_did_with_the_triggers_off_is_found(ledger: Ledger, statements: str, finding: str) -> None:
    await _write(ledger, 4)

    await _with_triggers_off(ledger, statements.split("; "))

    with pytest.raises(AuditTampered, match=finding):
        await audit.verify_chain(ledger)


async def test_a_cut_off_end_is_found_by_the_head_that_was_kept(ledger: Ledger) -> None:
    await _write(ledger, 4)
    kept = await audit.verify_chain(ledger)
    await _with_triggers_off(ledger, ["DELETE FROM audit WHERE sequence = 4"])

    assert (await audit.verify_chain(ledger)).sequence == 3
    with pytest.raises(AuditTampered, match="row 4"):
        await audit.verify_chain(ledger, kept=kept)


async def test_a_trail_that_grew_still_holds_the_head_that_was_kept(ledger: Ledger) -> None:
    await _write(ledger, 2)
    kept = await audit.verify_chain(ledger)
    await audit.append(ledger, _entry(9))

    assert (await audit.verify_chain(ledger, kept=kept)).sequence == 3
    assert (await audit.verify_chain(ledger, kept=audit.GENESIS)).sequence == 3


def _entry(number: int) -> AuditEntry:
    return AuditEntry(
        key=f"event-{number}", actor="ada", source="cli", action="rollout.approved", detail={"number": number}
    )


async def _write(ledger: Ledger, count: int) -> Sequence[AuditRow]:
    return [await audit.append(ledger, _entry(number)) for number in range(1, count + 1)]


async def _run(ledger: Ledger, *statements: str) -> None:
    async with ledger.transaction() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def _with_triggers_off(ledger: Ledger, statements: Sequence[str]) -> None:
    await _run(ledger, "ALTER TABLE audit DISABLE TRIGGER USER", *statements)
