"""`adx history`: rollouts, newest first; what one unit is in each environment, and how it got there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipelines.output import plain
from pipelines.screens.common import style_of
from pipelines.screens.next_steps import after_rollout
from pipelines.words import duration, moment, seconds_between, short
from workflows.ledger.models import Rollout
from workflows.ledger.unit_history import UnitDecision, UnitEntry, UnitStory

SHORT_DIGEST = 12


def history_screen(rollouts: Sequence[Rollout]) -> RenderableType:
    """Two lines per rollout: how it went, and the id that `adx show` takes (too long for a column).

    Of the newest of each environment also what a person does next, where something is left to do.
    """
    if not rollouts:
        return Text("No rollouts yet. `adx deploy ENV` starts one.")
    rows = [_cells(rollout) for rollout in rollouts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines: list[Text] = []
    told: set[str] = set()
    for rollout, row in zip(rollouts, rows, strict=True):
        padded = [_padded(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines += [Text("  ").join(padded), plain(f"    {rollout.id}", "dim")]
        if rollout.environment not in told and (what := after_rollout(rollout, rollout.id)):
            lines.append(plain(f"    → {what}", "dim"))
        told.add(rollout.environment)
    return Group(*lines)


def _cells(rollout: Rollout) -> tuple[Text, ...]:
    return (
        plain(moment(rollout.started_at)),
        plain(rollout.environment),
        plain(rollout.status, style_of(rollout.status)),
        plain(duration(seconds_between(rollout.started_at, rollout.finished_at))),
        plain(short(rollout.commit)),
        plain(rollout.requested_by),
    )


def _padded(cell: Text, width: int) -> Text:
    return Text.assemble(cell, " " * (width - len(cell)))


def unit_history_screen(unit: str, stories: Sequence[UnitStory], newest: Mapping[str, str]) -> RenderableType:
    """One part for each environment: how the unit is now, then what happened, newest first.

    ``newest`` are the ids of the newest rollouts, by environment.
    """
    if not stories:
        return plain(f"No rollout has touched {unit}. `adx explain {unit}` says where it is declared.")
    parts: list[RenderableType] = [plain(unit, "bold")]
    for story in stories:
        parts += [Text(), _now(story), *_next(story, newest), *_events(story)]
    return Group(*parts)


def _now(story: UnitStory) -> Text:
    now = story.now
    known = [word for word in (story.version, f"commit {short(now.commit)}", f"inputs {_digest(now.digest)}") if word]
    return Text.assemble(
        plain(now.environment, "bold"),
        "  ",
        plain(now.status, style_of(now.status)),
        plain(f"  {', '.join(known)}", "dim"),
    )


def _next(story: UnitStory, newest: Mapping[str, str]) -> list[Text]:
    """What a person does about a unit that is neither new nor as before."""
    if story.now.status != "frozen" or not story.changes:
        return []
    rollout = story.changes[0].rollout
    what = after_rollout(rollout, newest.get(rollout.environment, rollout.id))
    return [plain(f"  → {what}", "dim")] if what else []


def _events(story: UnitStory) -> Iterator[RenderableType]:
    happened: list[tuple[datetime, RenderableType]] = [(entry.change.at, _change(entry)) for entry in story.changes]
    happened += [(decision.at, _decision(decision)) for decision in story.decisions]
    for _, part in sorted(happened, key=lambda event: event[0], reverse=True):
        yield Text()
        yield Padding(part, (0, 0, 0, 2), expand=False)


def _change(entry: UnitEntry) -> RenderableType:
    change, rollout = entry.change, entry.rollout
    head = Text.assemble(
        plain(f"{moment(change.at)}  "),
        plain(change.status, style_of(change.status)),
        plain(f"  {_commits(entry)}  by {rollout.requested_by}"),
    )
    lines: list[RenderableType] = [head]
    reason = _reason(entry)
    if reason:
        lines.append(plain(f"  {reason}", "red"))
    version = f", {change.version}" if change.version else ""
    lines.append(plain(f"  inputs {_digests(entry)}{version}", "dim"))
    lines.append(_rollout(rollout.id, rollout.status))
    return Group(*lines)


def _commits(entry: UnitEntry) -> str:
    """From the commit that the unit was of, or that was tried with it, to the one that it is of now."""
    change = entry.change
    if change.status in ("restored", "frozen"):
        return f"{short(entry.rollout.commit)} → {short(change.commit)}"
    if change.status == "removed":
        return f"{short(change.from_commit)} → gone"
    return f"{short(change.from_commit)} → {short(change.commit)}"


def _digests(entry: UnitEntry) -> str:
    before, after = _digest(entry.change.from_digest), _digest(entry.change.digest)
    return f"{after}, as before" if before == after else f"{before} → {after}"


def _reason(entry: UnitEntry) -> str:
    """Why it was restored: as known of this unit, else of the rollout as a whole."""
    if entry.change.status not in ("restored", "frozen") or entry.change.reason:
        return entry.change.reason
    failure = entry.rollout.failure or {}
    return str(failure.get("message", ""))


def _decision(decision: UnitDecision) -> RenderableType:
    why = f": {decision.reason}" if decision.reason else ""
    head = Text.assemble(plain(f"{moment(decision.at)}  "), plain(decision.what, "yellow"))
    return Group(head.append_text(plain(f"  by {decision.by}{why}")), _rollout(decision.rollout_id, ""))


def _rollout(rollout_id: str, status: str) -> Text:
    return plain(f"  {rollout_id}{f', {status}' if status else ''}", "dim")


def _digest(digest: str | None) -> str:
    return digest[:SHORT_DIGEST] if digest else "-"
