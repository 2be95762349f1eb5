"""The one entry: rendered objects, policies of the base, declarations of the head → findings with their places."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from policies.checkov.context import EnvironmentManifests
from policies.checkov.findings import PolicyFinding, Waiver
from policies.checkov.judging import judge, unused_waivers
from policies.checkov.places import placed
from policies.checkov.policy_set import PolicySet
from policies.checkov.runner import TIMEOUT_SECONDS, Tick, run_checks
from policies.spec import Spec
from policies.tree import Tree


class PolicyResult(Spec):
    """What a policy check found.

    ``checked_objects`` counts the objects that at least one check judged,
    which are all that were given. ``checkov_version`` is empty when nothing
    was given, since nothing was run.
    """

    findings: tuple[PolicyFinding, ...] = ()
    unused_waivers: tuple[Waiver, ...] = ()
    checked_objects: int = 0
    checkov_version: str = ""


def check_manifests(
    environments: Sequence[EnvironmentManifests],
    policies: PolicySet,
    head: Tree,
    *,
    checkov_python: Path,
    today: date,
    timeout_seconds: float = TIMEOUT_SECONDS,
    tick: Tick = lambda: None,
) -> PolicyResult:
    """Check the objects of all ``environments`` in one checkov process.

    ``policies`` are those of the base branch, ``head`` the declarations that
    the objects were rendered from, ``today`` the day in UTC; ``tick`` is called
    several times a second meanwhile. Raises PolicyCheckFailed: a check that
    could not be made is never one without findings.
    """
    if not any(given.units for given in environments):
        return PolicyResult(unused_waivers=unused_waivers((), policies, environments))
    raw = run_checks(environments, policies, checkov_python, timeout_seconds=timeout_seconds, tick=tick)
    findings = judge(raw, policies, today)
    return PolicyResult(
        findings=placed(findings, head),
        unused_waivers=unused_waivers(findings, policies, environments),
        checked_objects=len(raw.objects),
        checkov_version=raw.checkov_version,
    )
