"""The report as Markdown, short enough for a comment on a pull request. Pure.

What is dangerous comes first. Where not everything fits, what matters least is
left out first (``layout.IMPORTANCE`` says in which
order); how much that is, and where all of it stands, is always said. Whatever
comes from outside is made inert on the way (see ``escaping``).
"""

from __future__ import annotations

from pipelines.preview import details, fleets, hazards, outcomes
from pipelines.preview.escaping import code, codes, link, prose
from pipelines.preview.folding import Section, fitted
from pipelines.preview.layout import Room, room_for
from pipelines.preview.migrations import sections as migration_sections
from pipelines.preview.report import Report
from pipelines.preview.sentences import revert_words, title, unaffected, verdict_sentence

LIMIT = 65_000  # GitHub refuses comments from 65,536 characters on
SMALLEST_LIMIT = 8_000
_MOST_TOOLS = 12
_MOST_NAMED = 8  # environments in one line


def markdown(report: Report, *, limit: int = LIMIT, artifact_url: str = "") -> str:
    """``report`` in at most ``limit`` characters (UTF-16 code units); ``artifact_url`` is where all of it stands.

    Raises ValueError when ``limit`` is below SMALLEST_LIMIT.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a preview needs at least {SMALLEST_LIMIT} characters, not {limit}")
    return fitted(_start(report), _sections(report, room_for(limit)), _end(report), limit, _whole(artifact_url))


def _sections(report: Report, room: Room) -> list[Section]:
    """All sections, in the order in which they are read; those without content have a total of 0."""
    return [
        *hazards.obstacles(report),
        migration_sections.blocking_section(report, room),
        hazards.dangerous_section(report, room),
        migration_sections.losses_section(report),
        hazards.renames_section(report),
        hazards.rules_section(report),
        outcomes.declarations_section(report, room),
        migration_sections.migrations_section(report, room),
        outcomes.disruption_section(report, room),
        outcomes.tenants_section(report, room),
        fleets.waves_section(report),
        hazards.other_findings_section(report),
        migration_sections.other_section(report, room),
        outcomes.pending_section(report, room),
        outcomes.notes_section(report),
        details.replaced_section(report, room),
        details.updated_section(report, room),
        details.creations_section(report, room),
        details.pending_properties_section(report, room),
        fleets.units_section(report, room),
        migration_sections.databases_section(report, room),
        details.picture_section(report),
        outcomes.plans_section(report),
    ]


def _start(report: Report) -> str:
    quiet = unaffected(report)
    affected = [one.environment for one in report.environments if one.environment not in quiet]
    where = f"In {codes(affected, _MOST_NAMED)}" if affected else ""
    lines = [f"## ADX preview: {title(report)}", "", f"**{verdict_sentence(report, where)}**"]
    for one in report.reverts:
        lines += ["", f"Reverts {code(one.commit[:12])} ({code(one.subject, 100)}): {revert_words(one)}."]
    if affected and quiet:
        lines += ["", f"Nothing changes in {codes(quiet, _MOST_NAMED)}."]
    return "\n".join(lines) + "\n"


def _end(report: Report) -> str:
    """What a reviewer seldom asks: which commits, which policies, which programs."""
    base = f"{code(report.base_ref, 80)}" + (f" ({code(report.base[:12])})" if report.base else "")
    facts = [f"merging {code(report.head_ref, 80)} ({code(report.head[:12])}) into {base}"]
    facts += [f"merge result {code(report.merged[:12])}"] if report.merged != report.head else []
    if report.policies_commit:
        facts.append(f"policies of {code(report.policies_commit[:12])}")
    tools = ", ".join(f"{prose(tool.name[:40])} {prose(tool.version[:40])}" for tool in report.tools[:_MOST_TOOLS])
    facts += [tools] if tools else []
    return f"\n<sub>{' · '.join(facts)}</sub>\n"


def _whole(artifact_url: str) -> str:
    if artifact_url:
        return f"Everything: {link('the whole report', artifact_url[:500])}."
    return "Everything: run `adx preview` with `--full`, or with `--output FILE` for JSON."
