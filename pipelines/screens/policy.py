"""`adx policy`: what blocks first, each finding at the declaration that caused it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.output import plain
from pipelines.preview.policy import PolicyAnswer
from policies.checkov.findings import PolicyFinding

_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}


def policy_screen(answer: PolicyAnswer) -> RenderableType:
    """Every finding in three lines, then the sum in one."""
    findings = [found for group in answer.findings.values() for found in group]
    parts: list[RenderableType] = []
    for found in sorted(findings, key=_order):
        parts += [*_finding(found), Text()]
    parts += [plain(note, "dim") for note in answer.notes]
    parts.append(plain(answer.sentence(), "bold red" if answer.is_failing else "green"))
    return Group(*parts)


def _order(found: PolicyFinding) -> tuple[object, ...]:
    return not found.is_blocking, _RANK[found.severity], found.environment, found.file, found.line, found.check


def _finding(found: PolicyFinding) -> list[RenderableType]:
    mark = "✗ blocks" if found.is_blocking else "· waived" if _holds(found) else "· warns"
    head = Text.assemble((mark, _STYLES[found.severity]), f"  {found.severity}  ", plain(found.title, "bold"))
    place = f"{found.file}:{found.line}:{found.column}" if found.line else found.file
    lines: list[RenderableType] = [
        head,
        plain(f"  {place}  {found.unit} in {found.environment}", "cyan"),
        plain(f"  {found.detail + ': ' if found.detail else ''}{found.fix}  [{found.check}]"),
    ]
    if found.waiver is not None:
        state = "expired" if found.is_waiver_expired else "holds until"
        lines.append(
            plain(f"  waiver {state} {found.waiver.expires}, {found.waiver.owner}: {found.waiver.reason}", "dim")
        )
    return lines


def _holds(found: PolicyFinding) -> bool:
    return found.waiver is not None and not found.is_waiver_expired
