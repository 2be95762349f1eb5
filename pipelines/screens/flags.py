"""`adx flags`: lists of flags, an answer, why it is so, and what should go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain, table
from pipelines.words import counted, short
from policies.configuration.flags.evaluator import Evaluation
from policies.configuration.flags.explanation import Explanation
from policies.configuration.flags.spec import FlagDecision, FlagSpec
from policies.configuration.flags.staleness import StaleFlag

_MARKS = {"holds": ("✓", "green"), "fails": ("✗", "dim"), "decides": ("▸", "bold cyan"), "not asked": ("·", "dim")}


def list_screen(
    environment: str, commit: str | None, flags: Sequence[FlagSpec], services: Mapping[str, tuple[str, ...]]
) -> RenderableType:
    """Every flag: what decides it, whose it is, who reads it."""
    if not flags:
        return plain(f"{environment} has no flags.")
    rows = table("flag", "decided by", "owner", "read by")
    rows.columns[0].no_wrap = True
    for flag in sorted(flags, key=lambda one: one.name):
        readers = ", ".join(services.get(flag.name, ())) or "-"
        rows.add_row(plain(flag.name, "bold"), plain(decided_by(flag)), plain(flag.owner), plain(readers))
    where = f" at {short(commit)}" if commit else ""
    return Group(rows, plain(f"{counted(len(flags), 'flag')} of {environment}{where}", "dim"))


def decided_by(flag: FlagDecision) -> str:
    """How a flag is decided, in few words."""
    said = {
        "boolean": "on" if flag.enabled else "off",
        "percentage": f"{flag.percentage:g} % of users" if flag.percentage is not None else "",
        "user_list": counted(len(flag.users or ()), "user"),
        "tenant_list": counted(len(flag.tenants or ()), "tenant"),
        "rules": counted(len(flag.rules or ()), "rule"),
    }[flag.type]
    more = [counted(len(flag.prerequisites), "prerequisite")] if flag.prerequisites else []
    more += ["schedule"] if flag.schedule is not None else []
    return "disabled" if flag.disabled else ", ".join([said, *more])


def eval_screen(flag: str, found: Evaluation, note: str = "") -> RenderableType:
    """The value, and how it came about in one line."""
    notes = [plain(note, "yellow")] if note else []
    if found.error_code is not None:
        head = Text.assemble(plain(flag, "bold"), "  ", plain(found.error_code, "bold red"))
        return Group(head, plain(f"  {found.error_message}"), plain("  the default in the code counts", "dim"), *notes)
    if found.variant is None:
        head = Text.assemble(plain(flag, "bold"), "  ", plain("the default in the code counts", "yellow"))
        return Group(head, plain(f"  {found.reason}", "dim"), *notes)
    value = found.value if isinstance(found.value, str) else json.dumps(found.value)
    head = Text.assemble(plain(flag, "bold"), "  ", plain(value, "green" if found.value else "yellow"))
    return Group(head, plain(f"  variant {found.variant}, {found.reason}", "dim"), *notes)


def explain_screen(told: Explanation, found: Evaluation, note: str = "") -> RenderableType:
    """The answer, then everything that was asked."""
    steps = Table.grid(padding=(0, 1))
    steps.add_column(width=2)
    steps.add_column(overflow="fold")
    steps.add_column(overflow="fold")
    for step in told.steps:
        mark, style = _MARKS[step.verdict]
        indent = "  " * step.depth
        found_text = step.found or ("" if step.verdict in {"holds", "fails"} else step.verdict)
        steps.add_row(plain(f" {mark}", style), plain(f"{indent}{step.asked}", style), plain(found_text, style))
    return Group(eval_screen(told.flag, found, note), Text(""), steps)


def stale_screen(environment: str, found: Sequence[StaleFlag]) -> RenderableType:
    """Oldest first, by owner's need to act."""
    if not found:
        return plain(f"No flag of {environment} is stale.", "green")
    rows = table("flag", "owner", "since", "why")
    rows.columns[0].no_wrap = True
    for one in found:
        readers = f"; read by {', '.join(one.services)}" if one.services else ""
        why = Text.assemble(plain(one.what), plain(f"{readers}; {one.next_step}", "dim"))
        since = Text.assemble(plain(one.since), plain(f" {one.days} d", "dim"))
        rows.add_row(plain(one.flag, "bold"), plain(one.owner), since, why)
    flags = len({one.flag for one in found})
    return Group(rows, plain(f"{counted(flags, 'stale flag')} in {environment}", "yellow"))
