"""What the real engine, cluster, databases and policies said about each pull request, kept as JSON; and back.

Git and the code say the rest anew each time, so that a report changes with them. What was recorded is no longer true
once the objects that the samples render are others: tests/gallery compares, and ``python -m scripts.gallery --record``
asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from infra.binding import binding_of
from infra.engine.plan import Plan
from pipelines.cli.previewing import report_on
from pipelines.preview.changes import EnvironmentChange, PullRequestChange, state_of
from pipelines.preview.gather import Facts, told
from pipelines.preview.migrations.facts import Question, found_migrations
from pipelines.preview.migrations.report import FoundMigrations
from pipelines.preview.policy import PolicyAnswer
from pipelines.preview.report import Report, ToolVersion
from policies.checkov.findings import PolicyFinding
from policies.desired_state import DesiredState
from policies.spec import Spec
from scripts.gallery.beginning import RECORDED
from scripts.gallery.scenes import BASE, Scene


class EnvironmentFacts(Spec):
    """What was found out about one environment; what is delivered there is what ``main`` holds."""

    environment: str
    plan: Plan | None = None
    migrations: FoundMigrations = FoundMigrations()
    findings: tuple[PolicyFinding, ...] = ()
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class SceneFacts(Spec):
    """What was found out about one pull request; ``notes`` are those of the policies."""

    environments: tuple[EnvironmentFacts, ...]
    notes: tuple[str, ...] = ()
    tools: tuple[ToolVersion, ...] = ()


def file_of(scene: Scene) -> Path:
    """Where the facts are kept."""
    return RECORDED / f"{scene.name}.json"


def facts_of(scene: Scene) -> SceneFacts:
    """The facts as they were recorded."""
    return msgspec.json.decode(file_of(scene).read_bytes(), type=SceneFacts)


def keep(scene: Scene, facts: SceneFacts) -> None:
    """Write ``facts`` so that a difference can be read."""
    RECORDED.mkdir(exist_ok=True)
    file_of(scene).write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")


def gathered(found: Sequence[Facts], policies: PolicyAnswer, tools: tuple[ToolVersion, ...]) -> SceneFacts:
    """What is worth keeping of ``found``. Raises ValueError where the change itself is not known."""
    return SceneFacts(
        environments=tuple(
            EnvironmentFacts(
                environment=one.known_change.environment,
                plan=one.plan,
                migrations=one.migrations,
                findings=policies.findings.get(one.known_change.environment, ()),
                unchecked=(*one.unchecked, *policies.unchecked),
                notes=tuple(one.notes),
            )
            for one in found
        ),
        notes=policies.notes,
        tools=tools,
    )


def report_of(scene: Scene, change: PullRequestChange, facts: SceneFacts) -> Report:
    """The report that `adx preview` makes of the branch of ``scene``, whose change is ``change``, by ``facts``."""
    policies = PolicyAnswer(
        findings={one.environment: one.findings for one in facts.environments},
        notes=facts.notes,
        policies_commit=change.base,
    )
    reports = [told(_facts(change, one), policies).report for one in facts.environments]
    return report_on(change, (BASE, scene.branch), reports, policies, facts.tools)


def delivered_of(change: PullRequestChange, environment: str) -> DesiredState | None:
    """What the environment runs: what ``main`` holds."""
    return state_of(change.before, environment, change.base) if change.before is not None else None


def _facts(change: PullRequestChange, kept: EnvironmentFacts) -> Facts:
    """As `adx preview` gathers them."""
    delivered = delivered_of(change, kept.environment)
    proposed = change.of(kept.environment, delivered)
    found = Facts(
        delivered=delivered,
        is_delivered_known=True,
        change=proposed,
        migrations=_migrations(change, proposed, kept.migrations),
        plan=kept.plan,
        unchecked=list(kept.unchecked),
        notes=list(kept.notes),
    )
    after = proposed.after
    if kept.plan is not None and after is not None:
        found.binding = binding_of(delivered, after, kept.plan)
    return found


def _migrations(change: PullRequestChange, proposed: EnvironmentChange, kept: FoundMigrations) -> FoundMigrations:
    """What servers said, with what git alone says against the change."""
    if proposed.after is None or kept == FoundMigrations():
        return kept
    question = Question(change, proposed.environment, proposed.base, proposed.after, {})
    return msgspec.structs.replace(kept, problems=asyncio.run(found_migrations(question)).problems)
