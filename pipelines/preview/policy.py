"""The policies of the base branch, asked about what a pull request renders: one checkov process for everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

from infra.render import render_unit
from pipelines.preview.changes import EnvironmentChange, PullRequestChange
from policies.checkov.checking import PolicyResult, check_manifests
from policies.checkov.context import EnvironmentManifests, delivered_replicas
from policies.checkov.errors import PolicyCheckFailed
from policies.checkov.findings import PolicyFinding, Waiver
from policies.checkov.policy_set import PolicySet, edits_policies, load_policies
from policies.errors import AdxError, DeclarationError
from scripts.errors import ScriptError
from scripts.progress import reporter
from scripts.toolchain.python_tools import CHECKOV, PythonTools

Say = Callable[[str], None]


@dataclass(frozen=True)
class PolicyAnswer:
    """What the policies say. ``findings[environment]``; ``unchecked`` says why nothing can be said, if so."""

    findings: Mapping[str, tuple[PolicyFinding, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    unused_waivers: tuple[Waiver, ...] = ()
    checked_objects: int = 0
    checkov_version: str = ""
    policies_commit: str = ""

    @property
    def blocking(self) -> tuple[PolicyFinding, ...]:
        """Those that forbid the merge, by environment."""
        return tuple(found for findings in self.findings.values() for found in findings if found.is_blocking)

    @property
    def is_failing(self) -> bool:
        """Whether something blocks, or could not be checked."""
        return bool(self.blocking or self.unchecked)

    def sentence(self) -> str:
        """The answer in one line."""
        if self.unchecked:
            return f"not checked: {self.unchecked[0]}"
        total = sum(map(len, self.findings.values()))
        objects = f"{self.checked_objects} object{'s' if self.checked_objects != 1 else ''} checked"
        if not total:
            return f"{objects}, nothing found"
        return f"{objects}, {total} finding{'s' if total != 1 else ''}, {len(self.blocking)} blocking"


@dataclass(frozen=True)
class PolicyQuestion:
    """Which environments of which pull request; ``today`` decides whether a waiver still holds."""

    change: PullRequestChange
    environments: Sequence[str]
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def policies_commit(self) -> str:
        """Where the policies are taken from: never the head, where there is a base."""
        return self.change.base or self.change.head


def answer(question: PolicyQuestion, say: Say) -> PolicyAnswer:
    """Ask; whatever keeps the question from being answered is part of the answer, as something unchecked."""
    change, commit = question.change, question.policies_commit
    try:
        policies = load_policies(change.repository, commit)
        found = _checked(question, policies, say)
    except (DeclarationError, PolicyCheckFailed, ScriptError) as error:
        return PolicyAnswer(unchecked=(f"policies: {_told(error)}",), policies_commit=commit)
    by_environment = groupby(sorted(found.findings, key=lambda one: one.environment), lambda one: one.environment)
    return PolicyAnswer(
        findings={name: tuple(findings) for name, findings in by_environment},
        notes=_notes(question, found),
        unused_waivers=found.unused_waivers,
        checked_objects=found.checked_objects,
        checkov_version=found.checkov_version,
        policies_commit=commit,
    )


def manifests_of(change: EnvironmentChange) -> EnvironmentManifests | None:
    """What the merge renders anew in one environment; None where nothing is left to render."""
    if change.after is None or change.after_rules is None:
        return None
    changed = [one.after for one in change.change_set.changes if one.after is not None]
    return EnvironmentManifests(
        environment=change.environment,
        region=change.after_rules.region,
        units={unit.id: tuple(render_unit(unit)) for unit in changed},
        delivered_replicas=delivered_replicas(change.base),
    )


def _checked(question: PolicyQuestion, policies: PolicySet, say: Say) -> PolicyResult:
    rendered = [manifests_of(question.change.of(name)) for name in question.environments]
    given = [one for one in rendered if one is not None]
    objects = sum(len(bodies) for one in given for bodies in one.units.values())
    if objects:
        say(f"policies: checking {objects} objects")
    return check_manifests(
        given, policies, question.change.merged, checkov_python=_checkov(objects), today=question.today
    )


def _checkov(objects: int) -> Path:
    """The Python of checkov's environment; installed where it is missing and there is something to check."""
    tools = PythonTools()
    known = tools.locate(CHECKOV.name)
    if known is not None:
        return known.python
    if not objects:
        return Path()
    with reporter() as chosen:
        return PythonTools(reporter=chosen).resolve(CHECKOV.name).python


def _notes(question: PolicyQuestion, found: PolicyResult) -> tuple[str, ...]:
    change = question.change
    edited = edits_policies(change.repository, change.base, change.head) if change.base else ()
    notes = [f"{path} is edited here; that counts only after the merge." for path in edited]
    notes += [
        f"The waiver of {waiver.check} by {waiver.owner} waives nothing any more." for waiver in found.unused_waivers
    ]
    return tuple(notes)


def _told(error: AdxError | ScriptError) -> str:
    if isinstance(error, DeclarationError):
        first = error.problems[0]
        return f"{first.file}:{first.line} of the base branch: {first.what}; {first.fix}"
    return " ".join(part for part in (str(error), error.next_step) if part)
