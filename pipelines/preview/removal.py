"""What a pull request may not delete: an environment in which tenants live, a tenant that comes back elsewhere.

Pure. A rollout refuses the latter too (``workflows.rollout.plan``).
"""

from __future__ import annotations

from policies.change_set import diff
from policies.desired_state import DesiredState
from policies.errors import Problem
from policies.findings import environment_file, tenant_file
from policies.renames import WAY_OUT, Rename, recreations
from policies.spec import Spec

RULE = "infrastructure.deleted-environment"
RECREATED = "tenancy.recreated"
MOST_NAMES = 8


class Removal(Spec):
    """What speaks against the removal, and what to know of it; both empty when nothing is removed."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def deleted_environment(environment: str, before: DesiredState | None, after: DesiredState | None) -> Removal:
    """Whether ``environment`` may go: not while tenants live in ``before`` (what is delivered, else declared)."""
    if after is not None or before is None:
        return Removal()
    tenants = [unit.id.partition("/")[2] for unit in before.units if unit.id.startswith("tenant/")]
    if not tenants:
        note = f"{environment} would no longer be declared: what runs there stays, and nobody delivers or restores it"
        return Removal(notes=(note,))
    return Removal(problems=(_problem(environment, tenants),))


def _problem(environment: str, tenants: list[str]) -> Problem:
    listed = ", ".join(tenants[:MOST_NAMES]) + (" …" if len(tenants) > MOST_NAMES else "")
    tenants_live = f"{len(tenants)} tenants live" if len(tenants) > 1 else "1 tenant lives"
    return Problem(
        file=environment_file(environment, "environment"),
        line=0,
        column=0,
        path="",
        what=f"{environment} would be deleted while {tenants_live} in it: {listed}",
        fix=f"first take {environment} out of their list of environments and deliver that, then delete it",
        rule=RULE,
    )


def recreated_tenants(before: DesiredState | None, after: DesiredState | None) -> tuple[Problem, ...]:
    """Tenants of ``before`` (what is delivered, else declared) that would be deleted and created anew."""
    if before is None or after is None:
        return ()
    return tuple(map(_recreated, recreations(diff(before, after))))


def _recreated(rename: Rename) -> Problem:
    """Without the namespaces, which differ by environment: what is deleted is told beside."""
    clue = rename.why.partition("; ")[0]
    if rename.before == rename.after:
        what = f"a tenant cannot move: {rename.before} ({clue})"
    else:
        what = f"a tenant cannot be renamed: {rename.before} → {rename.after} ({clue})"
    return Problem(
        file=tenant_file(rename.after.partition("/")[2]),
        line=0,
        column=0,
        path="",
        what=f"{what}; it would be deleted with all that its namespace holds, which a rollout refuses",
        fix=WAY_OUT,
        rule=RECREATED,
    )
