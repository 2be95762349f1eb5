"""Rules about how a rollout reaches its tenants: canaries, steps, budget, gates and approvals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import (
    Finding,
    Rule,
    environment_file,
    environment_rule,
    repeated,
    repository_rule,
    suggestion,
)
from policies.infrastructure.roles import role_of
from policies.infrastructure.spec import FleetRules, Gate
from policies.shares import Share, percentage

_FLEET = "rollout.fleet"


@repository_rule("infrastructure.canary")
def canaries_live_here(declarations: Declarations) -> Iterator[Finding]:
    """A canary is a tenant of the environment."""
    for name, declared in declarations.environments.items():
        canaries = _fleet(declared).canaries
        residents = {key for key, tenant in declarations.tenants.items() if name in tenant.environments}
        for index, canary in enumerate(canaries):
            if canary in residents:
                continue
            lives_elsewhere = canary in declarations.tenants
            what = f"the tenant {canary} does not live in {name}" if lives_elsewhere else f"there is no tenant {canary}"
            otherwise = f"add {name} to its environments" if lives_elsewhere else "name a tenant of this environment"
            yield _finding(name, f"canaries[{index}]", what, suggestion(canary, residents, otherwise))


@environment_rule("infrastructure.fleet-percentage")
def percentages_are_in_range(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A percentage is from 1 to 100."""
    fleet = _fleet(declared)
    shares = [(f"steps[{index}]", step) for index, step in enumerate(fleet.steps)]
    for path, share in [*shares, ("failure_budget", fleet.failure_budget)]:
        percent = percentage(share)
        if percent is not None and not 1 <= percent <= 100:
            fix = (
                "write 0 for none"
                if path == "failure_budget" and percent == 0
                else "write a percentage from 1% to 100%"
            )
            yield _finding(environment, path, f"{share} is no percentage of the units of a rollout", fix)


@environment_rule("infrastructure.fleet-steps")
def steps_increase(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each step reaches more tenants than those before it, as far as that can be told without knowing how many."""
    before: dict[bool, Share] = {}
    is_complete = False
    for index, step in enumerate(_fleet(declared).steps):
        kind = isinstance(step, str)
        last = before.get(kind)
        path, fix = f"steps[{index}]", "write the steps in increasing order: each counts all tenants reached by then"
        if is_complete:
            yield _finding(environment, path, f"{step} comes after 100%, where nobody is left", "take it out")
        elif last is not None and _amount(step) <= _amount(last):
            yield _finding(environment, path, f"{step} is not more than {last} before it", fix)
        before[kind] = step
        is_complete = is_complete or percentage(step) == 100


@environment_rule("infrastructure.gate-name")
def gate_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each gate has a name of its own."""
    for index, name, first in repeated(gate.name for gate in _fleet(declared).gates):
        what = f"the name {name} is already taken by gates[{first}]"
        yield _finding(environment, f"gates[{index}].name", what, "give each gate a name of its own")


@environment_rule("infrastructure.gate-kind")
def gates_have_one_kind(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each gate is of exactly one kind, and a Prometheus check has exactly one threshold."""
    for index, gate in enumerate(_fleet(declared).gates):
        kinds = _kinds(gate)
        if len(kinds) != 1:
            what = f"the gate {gate.name} has {' and '.join(kinds) if kinds else 'nothing to check'}"
            fix = "set exactly one of workloads_ready, http_check and prometheus"
            yield _finding(environment, f"gates[{index}]", what, fix)
        check = gate.prometheus
        if check is not None and (check.at_most is None) == (check.at_least is None):
            what = f"the gate {gate.name} has {'no threshold' if check.at_most is None else 'two thresholds'}"
            yield _finding(environment, f"gates[{index}].prometheus", what, "set exactly one of at_most and at_least")


@environment_rule("infrastructure.wave-approval")
def approved_waves_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A wave that waits for a person is one that this fleet has."""
    fleet = _fleet(declared)
    last = step_count(fleet.steps)
    for index, wave in enumerate(fleet.approval_before):
        path = f"approval_before[{index}]"
        if wave == "canaries" and not fleet.canaries:
            yield _finding(environment, path, "there are no canaries", "name some under canaries, or take it out")
        elif isinstance(wave, int) and wave > last:
            what = f"there is no step {wave}: the last one, which reaches everybody, is {last}"
            yield _finding(environment, path, what, f"write a number from 1 to {last}")


@environment_rule("infrastructure.wave-approvers")
def waves_have_approvers(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Where a wave waits for a person, somebody may let it go on."""
    fleet = _fleet(declared)
    if fleet.approval_before and not fleet.approvers:
        what = "a wave waits for an approval, but nobody may give it"
        yield _finding(environment, "approvers", what, "list at least one approver, or take approval_before out")


@environment_rule("infrastructure.role")
def roles_have_people(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A role that may approve is declared, and somebody has it: else nobody could ever approve by it."""
    rules, file = declared.environment, environment_file(environment, "environment")
    listed = {"approval.approvers": rules.approval.approvers, f"{_FLEET}.approvers": _fleet(declared).approvers}
    for path, approvers in listed.items():
        for index, role in enumerate(map(role_of, approvers)):
            if not role or rules.roles.get(role):
                continue
            is_declared = role in rules.roles
            what = f"nobody has the role {role}" if is_declared else f"the role {role} is not declared"
            declare = f"list who has it under roles.{role}"
            fix = declare if is_declared else suggestion(role, rules.roles, declare)
            yield Finding(file=file, path=f"{path}[{index}]", what=what, fix=fix)


def step_count(steps: Sequence[Share]) -> int:
    """How many steps there are, the last one, 100%, counted whether written or not."""
    return len(steps) + (0 if steps and percentage(steps[-1]) == 100 else 1)


def _fleet(declared: EnvironmentDeclarations) -> FleetRules:
    return declared.environment.rollout.fleet or FleetRules()


def _kinds(gate: Gate) -> list[str]:
    kinds = {"workloads_ready": gate.workloads_ready, "http_check": gate.http_check, "prometheus": gate.prometheus}
    return [name for name, value in kinds.items() if value is not None]


def _amount(share: Share) -> int:
    percent = percentage(share)
    return int(share) if percent is None else percent


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    file = environment_file(environment, "environment")
    return Finding(file=file, path=f"{_FLEET}.{path}", what=what, fix=fix)


FLEET_RULES: tuple[Rule, ...] = (
    canaries_live_here,
    percentages_are_in_range,
    steps_increase,
    gate_names_are_unique,
    gates_have_one_kind,
    approved_waves_exist,
    waves_have_approvers,
    roles_have_people,
)
