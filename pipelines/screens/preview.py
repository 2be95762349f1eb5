"""`adx preview`: what a merge would do, by environment, the worst first; an ordinary change is one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.preview.fields import told_fields, without_quotes
from pipelines.preview.property_lines import property_lines
from pipelines.preview.report import (
    Disruption,
    EnvironmentReport,
    FleetOutline,
    Report,
    ResourceRow,
    TenantEffect,
    UnitRow,
    Verdict,
    WaveOutline,
)
from pipelines.preview.sentences import (
    dangerous,
    declared,
    effects,
    holds_data,
    is_noticed,
    lost_beside,
    object_name,
    place,
    revert_words,
    unaffected,
    using,
    verdict_sentence,
)
from pipelines.preview.waves import rule_words, wave_title, wave_words
from pipelines.screens.preview_migrations import finding_texts, loss_texts, migration_texts
from pipelines.words import counted, short
from policies.change_set import FieldChange
from policies.checkov.findings import PolicyFinding
from policies.errors import Problem
from policies.masking import MASKED

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_STYLES = {"add": "green", "change": "yellow", "remove": "red"}
_VERDICT_STYLES: dict[Verdict, str] = {"ok": "bold green", "blocked": "bold red", "unchecked": "bold yellow"}
_DOWNTIME_STYLES = {"none": "green", "possible": "yellow", "certain": "bold red"}
_LINES = 24  # for all lists together: with headings an ordinary change stays on one screen
_FEWEST, _MOST = 1, 4
_NAMES = 4
_WAVES = 8
_LONGEST = 240
_EVERYTHING = 1_000_000

Row = tuple[str, Text]


def preview_screen(report: Report, *, is_full: bool = False) -> RenderableType:
    """The report in short; ``is_full`` shows everything, with every property that differs."""
    quiet = set(unaffected(report))
    shown = [one for one in report.environments if one.environment not in quiet]
    most = _EVERYTHING if is_full else max(_FEWEST, min(_MOST, _LINES // (6 * max(len(shown), 1))))
    parts: list[RenderableType] = [_heading(report), plain(verdict_sentence(report), _style(report))]
    for one in report.reverts:
        parts.append(plain(f"Reverts {short(one.commit)} ({_cut(one.subject)}): {revert_words(one)}."))
    for environment in shown:
        parts += [Text(), _environment_heading(environment), _grid(_rows(environment, most, is_full=is_full))]
    if quiet:
        parts += [Text(), plain(f"Nothing changes in {', '.join(sorted(quiet))}.", "dim")]
    parts += [plain(f"note: {note}", "dim") for note in report.notes]
    if is_full and report.tools:
        tools = ", ".join(f"{tool.name} {tool.version}" for tool in report.tools)
        parts.append(plain(f"made with {tools}; policies of {short(report.policies_commit)}", "dim"))
    return Group(*parts)


def _heading(report: Report) -> Text:
    base = plain(f"{report.base_ref} {short(report.base) if report.base else ''}".rstrip())
    return Text.assemble(plain(report.head_ref, "bold"), plain(f" {short(report.head)} → "), base)


def _style(report: Report) -> str:
    is_dangerous = any(one.losses or any(row.is_dangerous for row in one.resources) for one in report.environments)
    if report.verdict == "ok" and is_dangerous:
        return "bold yellow"
    return _VERDICT_STYLES[report.verdict]


def _environment_heading(report: EnvironmentReport) -> Text:
    delivered = f"  delivered {short(report.delivered_commit)}" if report.delivered_commit else ""
    plan = f"  plan {report.digest[:12]}" if report.digest else ""
    return Text.assemble(
        plain(report.environment, "bold"),
        plain("" if report.verdict == "ok" else f"  {report.verdict}", _VERDICT_STYLES[report.verdict]),
        plain(f"{delivered}{plan}", "dim"),
    )


def _grid(rows: Iterable[Row]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=11, style="dim", justify="right")
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(label, text)
    return grid


def _rows(report: EnvironmentReport, most: int, *, is_full: bool) -> Iterator[Row]:
    yield from _listed("mend", map(_problem, report.problems), most)
    yield from _listed("policy", map(_finding, _findings(report, is_blocking=True)), most)
    yield from _listed("unsafe", finding_texts(report, is_blocking=True), most)
    yield from _listed("unchecked", (plain(text, "yellow") for text in report.unchecked), most)
    yield from _listed("danger", map(_danger, dangerous(report)), most)
    yield from _listed("lost", loss_texts(report), most)
    renames = (plain(f"{one.before} → {one.after}: {one.why}", "yellow") for one in report.renames)
    yield from _listed("no rename", renames, most)
    counts = Counter(row.action for row in report.resources if not row.is_pending)
    if counts and (is_full or not report.units):
        yield "objects", plain(effects(counts))
    yield from _listed("rules", map(_field, report.rules), most)
    yield from _listed("declared", (_units(rows, most) for rows in _alike(declared(report))), most)
    yield from _listed("databases", migration_texts(report, most), most)
    yield from _listed("disruption", (_disruption(rows, most) for rows in _by_downtime(report)), most)
    yield from _listed("tenants", _tenants(report.tenants, most), most)
    if report.fleet is not None:
        yield from _fleet(report.fleet, max(most, _WAVES))
    yield from _listed("policy", map(_finding, _findings(report, is_blocking=False)), most)
    yield from _listed("scripts", finding_texts(report, is_blocking=False), most)
    if report.pending_units:
        yield "also", plain(f"merged earlier, not delivered yet: {_names(report.pending_units, most)}")
    yield from _listed("note", (plain(note) for note in report.notes), most)
    if is_full:
        yield from _properties(report)


def _listed(label: str, texts: Iterable[Text], most: int) -> Iterator[Row]:
    """The first ``most`` of ``texts`` under one label, and how many more there are; one more is told as well."""
    listed = list(texts)
    most += len(listed) == most + 1
    for number, text in enumerate(listed[:most]):
        yield label if number == 0 else "", text
    if len(listed) > most:
        yield "", plain(f"… {len(listed) - most:,} more (--full)", "dim")


def _problem(problem: Problem) -> Text:
    where = place(problem.file, problem.line, problem.column)
    told = (f"way out: {problem.fix}", f"in {where} ({problem.rule})")
    return Text.assemble(plain(problem.what, "bold red"), *(part for one in told for part in ("\n    ", plain(one))))


def _findings(report: EnvironmentReport, *, is_blocking: bool) -> list[PolicyFinding]:
    return [finding for finding in report.findings if finding.is_blocking == is_blocking]


def _finding(finding: PolicyFinding) -> Text:
    state = "blocks" if finding.is_blocking else "waived" if finding.waiver else "warns"
    expired = f" (waiver expired on {finding.waiver.expires})" if finding.waiver and finding.is_waiver_expired else ""
    where = place(finding.file, finding.line, finding.column)
    # A title says what ought to be: without "not met" it reads as if it were so.
    unmet = f"not met: {finding.title}" + (f": {finding.detail}" if finding.detail else "")
    return Text.assemble(
        plain(f"{state} {finding.severity}", "bold red" if finding.is_blocking else "yellow"),
        plain(f" {where} {unmet}; {finding.fix} [{finding.check}]{expired}"),
    )


def _danger(group: Sequence[ResourceRow]) -> Text:
    first, *others = lost_beside(group)
    lost = " with everything in it" if first.kind == "Namespace" else " with its data" if holds_data(first) else ""
    because = f" ({', '.join(first.replaced_because)} cannot be changed in place)" if first.replaced_because else ""
    more = f", and {counted(len(others), 'more object')}" if others else ""
    earlier = " (merged earlier)" if first.is_pending else ""
    return Text.assemble(
        plain(f"{first.action} ", "bold red"),
        plain(f"{first.unit}: {object_name(first)}{lost}{because}{more}{earlier}"),
    )


def _alike(rows: Iterable[UnitRow]) -> list[list[UnitRow]]:
    """Units that change in the same way, together; each that comes or goes stands for itself."""
    groups: dict[object, list[UnitRow]] = {}
    for row in rows:
        key = (row.unit.partition("/")[0], row.fields) if row.fields else row.unit
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _units(rows: Sequence[UnitRow], most: int) -> Text:
    row, names = rows[0], _names([one.unit for one in rows], most)
    head = Text.assemble((f"{_SIGNS[row.action]} ", _STYLES[row.action]), plain(names, "bold"))
    told = told_fields(row.fields)
    for one in told[:most]:
        head = Text.assemble(head, "\n    ", plain(one) if isinstance(one, str) else _field(one))
    more = len(told) - most
    return Text.assemble(head, f"\n    … {more:,} more fields (--full)") if more > 0 else head


def _field(field: FieldChange) -> Text:
    if field.before == field.after == MASKED:
        return plain(f"{field.path} has another value, which is never shown")
    before, after = (None if one is None else _cut(without_quotes(one)) for one in (field.before, field.after))
    return Text.assemble(
        plain(f"{field.path} "), plain(before or "(none)", "red"), " → ", plain(after or "(none)", "green")
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _by_downtime(report: EnvironmentReport) -> list[list[Disruption]]:
    """Units of which the same is to be told, together: the worst first, then what restarts pods."""
    alike: dict[tuple[str, int, str], list[Disruption]] = {}
    for one in filter(is_noticed, report.disruptions):
        alike.setdefault((one.downtime, one.pods_restarted, one.why), []).append(one)
    order = sorted(alike, key=lambda key: (-list(_DOWNTIME_STYLES).index(key[0]), -key[1]))
    return [alike[key] for key in order]


def _disruption(rows: Sequence[Disruption], most: int) -> Text:
    found = rows[0]
    words = {"none": "no downtime", "possible": "downtime possible", "certain": "downtime"}[found.downtime]
    each = "each: " if len(rows) > 1 and found.pods_restarted else ""
    return Text.assemble(
        plain(_names([one.unit for one in rows], most)),
        "  ",
        plain(words, _DOWNTIME_STYLES[found.downtime]),
        plain(f": {each}{found.why}", "dim"),
    )


def _tenants(effects_: Sequence[TenantEffect], most: int) -> Iterator[Text]:
    """Those that use what changes; who changes themselves is told by their declaration."""
    for through, names in using(effects_):
        yield plain(f"using {_names(through, most) or 'one or more of the services'}: {_names(names, most)}")


def _fleet(outline: FleetOutline, most: int) -> Iterator[Row]:
    """The waves in their order, then what holds for all of them."""
    yield from _listed("waves", (_wave(wave, outline) for wave in outline.waves), most)
    yield "", plain("; ".join(rule_words(outline)), "dim")
    holds = outline.holds
    if holds.now:
        yield "held now", plain(holds.now, "yellow")
    yield from _listed("coming", map(plain, holds.coming), most)
    yield from _listed("windows", map(plain, holds.windows), most)


def _wave(wave: WaveOutline, outline: FleetOutline) -> Text:
    approval = f", once approved by {_names(outline.approvers, _NAMES)}" if wave.needs_approval else ""
    return Text.assemble(plain(wave_title(wave), "bold"), plain(f": {wave_words(wave)}"), plain(approval, "yellow"))


def _names(names: Sequence[str], most: int) -> str:
    most = max(most, _NAMES)
    shown = names[: most + (len(names) == most + 1)]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _properties(report: EnvironmentReport) -> Iterator[Row]:
    for row in report.resources:
        earlier = " (merged earlier)" if row.is_pending else ""
        yield row.action, plain(f"{row.unit} {object_name(row)}{earlier}", "bold")
        for field in row.fields:
            for line in property_lines(field, _EVERYTHING):
                yield "", plain(line, {"-": "red", "+": "green"}.get(line[0], ""))
