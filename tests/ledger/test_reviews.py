"""Recorded previews: found by their digest, renewed when shown again, forgotten when old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workflows.ledger import Ledger, audit, reviews
from workflows.ledger.models import Review

HEAD, OTHER_HEAD = "a" * 40, "b" * 40


def review(digest: str = "d1", head: str = HEAD, environment: str = "staging", **fields: object) -> Review:
    """A preview that CI recorded."""
    values = {"base": "0" * 40, "binding": {"digest": digest}, "recorded_by": "ci", **fields}
    return Review(environment=environment, digest=digest, head=head, **values)  # type: ignore[arg-type] # test data


async def test_a_preview_is_found_by_environment_and_digest(ledger: Ledger) -> None:
    """Another environment's or another plan's preview does not count."""
    await reviews.record(ledger, review(pull_request=7), source="cli")
    await reviews.record(ledger, review(environment="production"), source="cli")
    await reviews.record(ledger, review("d2"), source="cli")

    (found,) = await reviews.find(ledger, "staging", "d1")

    assert (found.head, found.pull_request, found.binding) == (HEAD, 7, {"digest": "d1"})
    assert await reviews.find(ledger, "staging", "d3") == ()


async def test_the_same_plan_shown_again_gets_a_newer_time_and_one_audit_entry(ledger: Ledger) -> None:
    """A retry after a lost answer, or a preview run again, is no second review."""
    await reviews.record(ledger, review(), source="cli")
    (first,) = await reviews.find(ledger, "staging", "d1")
    await reviews.record(ledger, review(), source="cli")
    (second,) = await reviews.find(ledger, "staging", "d1")

    assert first.recorded_at is not None
    assert second.recorded_at is not None
    assert second.recorded_at > first.recorded_at
    assert [row.action for row in await audit.entries(ledger)] == ["plan.previewed"]


async def test_one_plan_for_two_heads_is_kept_twice_newest_first(ledger: Ledger) -> None:
    """Each head may be approved or not."""
    await reviews.record(ledger, review(), source="cli")
    await reviews.record(ledger, review(head=OTHER_HEAD), source="cli")

    assert [found.head for found in await reviews.find(ledger, "staging", "d1")] == [OTHER_HEAD, HEAD]
    assert [found.head for found in await reviews.newest(ledger, "staging", limit=1)] == [OTHER_HEAD]


async def test_old_previews_are_forgotten(ledger: Ledger) -> None:
    """Young ones stay."""
    await reviews.record(ledger, review(), source="cli")

    assert await reviews.prune(ledger, recorded_before=datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert await reviews.prune(ledger, recorded_before=datetime.now(UTC) + timedelta(days=1)) == 1
    assert await reviews.find(ledger, "staging", "d1") == ()


async def test_a_hostile_name_is_kept_harmless(ledger: Ledger) -> None:
    """A name with a line break cannot forge a line."""
    await reviews.record(ledger, review(recorded_by="eve\nroot"), source="cli")

    (found,) = await reviews.find(ledger, "staging", "d1")
    assert found.recorded_by == "eve\\u000aroot"
