"""The parts of the Markdown report that a reviewer must not miss. Pure.

Each function makes one section; its items are made one by one, as long as there is room for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.preview.escaping import code, codes, prose
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, change_words, section
from pipelines.preview.report import Report, ResourceRow
from pipelines.preview.sentences import dangerous, holds_data, lost_beside, object_name, place, problems_of
from policies.checkov.findings import PolicyFinding, Severity
from policies.errors import Problem

MOST_ENVIRONMENTS = 8  # in one line
_SEVERITIES: dict[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def obstacles(report: Report) -> list[Section]:
    """What makes the check fail, worst first."""
    problems = problems_of(report)
    blocking = _findings(report, is_blocking=True)
    unchecked = [(one.environment, text) for one in report.environments for text in one.unchecked]
    return [
        section(
            "problems",
            "⛔ What must be mended first",
            (_problem_item(problem, names) for problem, names in problems.items()),
            len(problems),
        ),
        section("blocking findings", "⛔ Policy findings that block", map(_finding_item, blocking), len(blocking)),
        section(
            "unchecked",
            "⚠️ Not checked",
            (Item(f"- {code(name)}: {prose(text)}\n") for name, text in unchecked),
            len(unchecked),
            "things that were not checked",
        ),
    ]


def _problem_item(problem: Problem, environments: Sequence[str]) -> Item:
    """What is wrong in one line, the way out below it."""
    where = f"{code(place(problem.file, problem.line, problem.column))} ({code(problem.rule)})"
    what = prose(problem.what)
    told = f"- {codes(environments, MOST_ENVIRONMENTS)} {f'**{what}**' if what else '(empty)'}"
    return Item(f"{told}\n  - way out: {prose(problem.fix)}\n  - in {where}\n")


def dangerous_section(report: Report, room: Room) -> Section:
    """What exists and would go, by unit; what takes others with it first."""
    groups = [(one.environment, group) for one in report.environments for group in dangerous(one)]
    groups.sort(key=lambda pair: (pair[1][0].is_pending, not any(map(holds_data, pair[1]))))
    items = (_danger_item(environment, group, room) for environment, group in groups)
    total = sum(len(group) for _, group in groups)
    return section("dangerous", "⚠️ Deleted or replaced", items, total, "objects that are deleted or replaced")


def _danger_item(environment: str, group: Sequence[ResourceRow], room: Room) -> Item:
    first = group[0]
    verb = "**deletes**" if first.action == "delete" else "**replaces**"
    ordered = lost_beside(group)
    shown = ", ".join(_lost(row) for row in ordered[: room.names])
    more = len(ordered) - room.names
    rest = f" and {more:,} more" if more > 0 else ""
    earlier = " (merged earlier, not delivered yet)" if first.is_pending else ""
    return Item(f"- {code(environment)} {code(first.unit)} {verb} {shown}{rest}{earlier}\n", weight=len(group))


def _lost(row: ResourceRow) -> str:
    name = code(object_name(row))
    if row.kind == "Namespace":
        return f"{name} **with everything in it**"
    if holds_data(row):
        return f"{name} **with its data**"
    if row.replaced_because:
        return f"{name} ({codes(row.replaced_because, 3)} cannot be changed in place)"
    return name


def renames_section(report: Report) -> Section:
    """Units that would lose what they hold, since another name is another unit."""
    found = [(one.environment, rename) for one in report.environments for rename in one.renames]
    items = (Item(f"- {code(name)} {code(one.before)} → {code(one.after)}: {prose(one.why)}\n") for name, one in found)
    return section("renames", "⚠️ Looks like a rename, and is none", items, len(found))


def rules_section(report: Report) -> Section:
    """Changes of who approves and what proves a delivery."""
    found = [(one.environment, field) for one in report.environments for field in one.rules]
    items = (Item(f"- {code(name)} {change_words(field)}\n") for name, field in found)
    return section("rules", "⚠️ Rules of delivery that change", items, len(found), "rules of delivery")


def other_findings_section(report: Report) -> Section:
    """Findings that only warn, or are waived."""
    found = _findings(report, is_blocking=False)
    return section("other findings", "Policy findings that do not block", map(_finding_item, found), len(found))


def _findings(report: Report, *, is_blocking: bool) -> list[PolicyFinding]:
    found = [one for env in report.environments for one in env.findings if one.is_blocking == is_blocking]
    return sorted(found, key=lambda one: (_SEVERITIES[one.severity], one.environment, one.file, one.line, one.check))


def _finding_item(finding: PolicyFinding) -> Item:
    where = code(place(finding.file, finding.line, finding.column))
    path = f" at {code(finding.path)}" if finding.path else ""
    detail = f": {prose(finding.detail)}" if finding.detail else ""
    # A title says what ought to be: without "not met" it reads as if it were so.
    return Item(
        f"- **{finding.severity}** {code(finding.environment)} {where}{path}: not met: {prose(finding.title)}{detail} "
        f"({code(finding.resource)}) — {prose(finding.fix)} ({code(finding.check)}){_waiver(finding)}\n"
    )


def _waiver(finding: PolicyFinding) -> str:
    waiver = finding.waiver
    if waiver is None:
        return ""
    state = "**the waiver has expired**" if finding.is_waiver_expired else "waived"
    until = "on" if finding.is_waiver_expired else "until"
    return f"; {state} {until} {code(waiver.expires)}, by {code(waiver.owner)}: {prose(waiver.reason)}"
