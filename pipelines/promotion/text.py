"""What a promotion says of itself in git and at the hosting. Pure; everything from outside is made inert."""

from __future__ import annotations

import json
from typing import Any

from pipelines.preview.escaping import code, one_line
from pipelines.promotion.model import Change, Gate, Kept, Promotion, Version, name_of
from pipelines.words import counted, moment

COMMENT_KEY = "adx/promotion"
MOST_ROWS = 100
LONGEST_TITLE = 120
LONGEST_VALUE = 80
_STAYS = "Replicas, resources and secrets stay as they are. What merging this would do: the comment of `adx preview`."


def branch_of(source: str, target: str) -> str:
    """The branch that holds the one open promotion between two environments."""
    return f"adx/promote-{source}-to-{target}"


def title_of(promotion: Promotion) -> str:
    """``Promote staging to production: frontend v1.3.0, 2 values``."""
    named = [f"{one.service} {one.after}" for one in promotion.versions[:3]]
    more = len(promotion.versions) - len(named)
    others = len(others_of(promotion))
    parts = [
        *named,
        *([f"{more} more"] if more else []),
        *([counted(others, "value")] if others else []),
    ]
    return one_line(f"Promote {promotion.source} to {promotion.target}: {', '.join(parts)}", LONGEST_TITLE)


def message_of(promotion: Promotion) -> str:
    """The commit's message, with trailers that scripts can read. The same for the same promotion."""
    lines = [title_of(promotion), ""]
    lines += [f"{one.service}: {one.before} → {one.after}" for one in promotion.versions]
    lines += [one_line(name_of(one.path, one.kind)) for one in others_of(promotion)]
    trailers = [f"Promoted-from: {promotion.source}", f"Delivered-commit: {promotion.commit}"]
    return "\n".join([*lines, "", *trailers]) + "\n"


def body_of(promotion: Promotion) -> str:
    """The pull request in Markdown."""
    parts = [
        f"Brings {code(promotion.target)} to what {code(promotion.source)} holds, delivered from {promotion.commit}.",
        *_forced(promotion),
        *_versions(promotion.versions),
        *_values(others_of(promotion)),
        *_gates(promotion.gates),
        *_kept(promotion),
        *_commits(promotion),
        f"Requested by {code(promotion.requested_by)} with `adx promote`. {_STAYS}",
    ]
    return "\n\n".join(parts) + "\n"


def others_of(promotion: Promotion) -> tuple[Change, ...]:
    """The changes that are no versions."""
    return tuple(one for one in promotion.changes if not is_version(one))


def is_version(change: Change) -> bool:
    """Whether this is told as a version: an image or its tag."""
    return change.kind == "services" and change.path[1] in {"image", "version"}


def shown(value: Any) -> str:
    """A value on one line; none is told in words."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return one_line(text, LONGEST_VALUE)


def _forced(promotion: Promotion) -> list[str]:
    if not promotion.forced:
        return []
    names = ", ".join(code(gate.name) for gate in promotion.blocked_by)
    by, reason = code(promotion.requested_by), code(promotion.forced, 500)
    return [f"> [!WARNING]\n> Forced by {by} past {names}. Reason: {reason}. It stands in the audit trail."]


def _versions(versions: tuple[Version, ...]) -> list[str]:
    rows = [
        f"| {code(one.service)} | {code(one.before)} | {code(one.after)}{' (goes back)' if one.is_back else ''} |"
        + (f" {code(one.image)} |" if one.image else " |")
        for one in versions
    ]
    return _table("### Versions", "| service | from | to | image |\n|---|---|---|---|", rows)


def _values(changes: tuple[Change, ...]) -> list[str]:
    rows = [
        f"| {code(name_of(one.path, one.kind))} | {code(shown(one.before))} | {code(shown(one.after))} | {one.why} |"
        for one in changes
    ]
    return _table("### Values", "| value | from | to | |\n|---|---|---|---|", rows)


def _gates(gates: tuple[Gate, ...]) -> list[str]:
    rows = [f"| {_mark(gate)} | {gate.name} | {code(gate.said, 300)}{_when(gate)} |" for gate in gates]
    return _table("### Gates", "| | gate | how it stands |\n|---|---|---|", rows)


def _kept(promotion: Promotion) -> list[str]:
    rows = [_kept_row(one) for one in promotion.kept]
    head = f"| value | {code(promotion.source)} | {code(promotion.target)} | why it stays |\n|---|---|---|---|"
    found = _table(f"### Different, and kept as {code(promotion.target)} has it", head, rows)
    return (
        [f"<details><summary>{counted(len(rows), 'difference')} kept</summary>\n\n{found[0]}\n\n</details>"]
        if found
        else []
    )


def _kept_row(one: Kept) -> str:
    is_told = one.source is not None or one.target is not None
    values = (shown(one.source), shown(one.target)) if is_told else ("•••", "•••")
    return f"| {code(one.name)} | {code(values[0])} | {code(values[1])} | {code(one.why)} |"


def _commits(promotion: Promotion) -> list[str]:
    # GitHub makes links of full commit ids by itself.
    rows = [f"- {one.commit} {code(one.subject)}" for one in promotion.commits[:MOST_ROWS]]
    rows += [f"- rollout {code(rollout)} (`adx show`)" for rollout in promotion.rollouts[:MOST_ROWS]]
    return [f"### Where it comes from\n\n{chr(10).join(rows)}"] if rows else []


def _table(heading: str, head: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    more = len(rows) - MOST_ROWS
    listed = "\n".join(rows[:MOST_ROWS])
    return [f"{heading}\n\n{head}\n{listed}" + (f"\n\nand {more} more" if more > 0 else "")]


def _mark(gate: Gate) -> str:
    return "✓ met" if gate.is_met else "✗ not met"


def _when(gate: Gate) -> str:
    return f", met at {moment(gate.met_at)} UTC" if gate.met_at is not None else ""
