"""What must hold of an environment that its JSON Schema cannot say.

How its rollouts reach tenants is in :mod:`policies.infrastructure.fleet_rules`,
when they may start in :mod:`policies.infrastructure.calendar_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from policies.addresses import why_host_is_refused
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
from policies.infrastructure.calendar_rules import CALENDAR_RULES
from policies.infrastructure.drift_rules import DRIFT_RULES
from policies.infrastructure.fleet_rules import FLEET_RULES
from policies.infrastructure.promotion_rules import PROMOTION_RULES
from policies.infrastructure.spec import EnvironmentSpec, PostDeploymentTest

_DOCUMENT = "environment"
_RESERVED_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


@environment_rule("infrastructure.name-matches-folder")
def name_matches_folder(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The name in the document is the name of its folder."""
    if declared.environment.name != environment:
        yield _finding(
            environment,
            "name",
            f"the environment calls itself {declared.environment.name}, its folder is {environment}",
            f"write {environment}, or rename the folder",
        )


@environment_rule("infrastructure.namespace-reserved")
def namespace_is_not_reserved(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Kubernetes' own namespaces stay Kubernetes' own."""
    namespace = declared.environment.namespace
    if namespace in _RESERVED_NAMESPACES or namespace.startswith("kube-"):
        fix = f"choose a namespace of the platform's own, such as platform-{environment}"
        yield _finding(environment, "namespace", f"the namespace {namespace} belongs to Kubernetes", fix)


@repository_rule("infrastructure.namespace-owner")
def namespace_has_one_owner(declarations: Declarations) -> Iterator[Finding]:
    """No two environments share a namespace."""
    names = sorted(declarations.environments)
    namespaces = [declarations.environments[name].environment.namespace for name in names]
    for index, namespace, first in repeated(namespaces):
        what = f"the namespace {namespace} already belongs to the environment {names[first]}"
        yield _finding(names[index], "namespace", what, "give each environment a namespace of its own")


@environment_rule("infrastructure.approvers")
def approval_names_approvers(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Where approval is required, somebody can give it."""
    approval = declared.environment.approval
    if approval.required and not approval.approvers:
        what = "approval is required, but nobody may give it"
        yield _finding(environment, "approval.approvers", what, "list at least one approver, or set required to false")


@environment_rule("infrastructure.review")
def an_approved_plan_is_bound(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """An approved head means nothing unless the plan that was shown for it is what is applied."""
    review = declared.environment.review
    if review.require_approved_head and not review.bind_plan:
        what = "an approved head is required, but the plan is not bound to what was previewed"
        yield _finding(environment, "review.bind_plan", what, "set bind_plan to true as well")


@environment_rule("infrastructure.test-name")
def test_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each post-deployment test has a name of its own."""
    for index, name, first in repeated(test.name for test in declared.environment.post_deployment_tests):
        path = f"post_deployment_tests[{index}].name"
        what = f"the name {name} is already taken by post_deployment_tests[{first}]"
        yield _finding(environment, path, what, "give each test a name of its own")


@environment_rule("infrastructure.test-kind")
def tests_have_one_kind(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each post-deployment test is of exactly one kind."""
    for index, test in enumerate(declared.environment.post_deployment_tests):
        kinds = _kinds(test)
        if len(kinds) != 1:
            what = f"the test {test.name} has {' and '.join(kinds) if kinds else 'nothing to test'}"
            fix = "set exactly one of workload_ready, http_check and command"
            yield _finding(environment, f"post_deployment_tests[{index}]", what, fix)


@environment_rule("infrastructure.test-service")
def tests_name_known_services(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A workload that must be ready is a service of the environment."""
    known = {service.name for service in declared.services.services}
    for index, test in enumerate(declared.environment.post_deployment_tests):
        if test.workload_ready is not None and test.workload_ready.service not in known:
            service = test.workload_ready.service
            path = f"post_deployment_tests[{index}].workload_ready.service"
            what = f"the environment {environment} has no service {service}"
            yield _finding(environment, path, what, suggestion(service, known, "name a service of services.yaml"))


@environment_rule("infrastructure.http-check-address")
def http_checks_ask_permitted_addresses(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Neither a test nor a gate asks a metadata service, or with a password in its address."""
    for path, url in _asked(declared.environment):
        refusal = _refusal(url)
        if refusal is not None:
            yield _finding(environment, path, *refusal)


def _asked(environment: EnvironmentSpec) -> Iterator[tuple[str, str]]:
    """Path and value of every address that tests and gates ask."""
    for index, test in enumerate(environment.post_deployment_tests):
        if test.http_check is not None:
            yield f"post_deployment_tests[{index}].http_check.url", test.http_check.url
    fleet = environment.rollout.fleet
    for index, gate in enumerate(fleet.gates if fleet is not None else ()):
        path = f"rollout.fleet.gates[{index}]"
        if gate.http_check is not None:
            yield f"{path}.http_check.url", gate.http_check.url
        if gate.prometheus is not None and gate.prometheus.url is not None:
            yield f"{path}.prometheus.url", gate.prometheus.url


def _refusal(url: str) -> tuple[str, str] | None:
    """What is wrong with ``url`` and what would be right; never prints it, as it may hold a password."""
    try:
        parts = urlsplit(url)
        host, has_credentials, _ = parts.hostname, "@" in parts.netloc, parts.port
    except ValueError:
        return "the address cannot be read", "write it as https://host/path"
    if has_credentials:
        return "the address holds a user name or a password", "ask an address that needs neither"
    if not host or "\\" in url:
        return "the address names no host", "write it as https://host/path"
    refusal = why_host_is_refused(host)
    if refusal is not None:
        return f"the host {host} may not be asked: {refusal}", "ask the service by its own name"
    return None


def _kinds(test: PostDeploymentTest) -> list[str]:
    kinds = {"workload_ready": test.workload_ready, "http_check": test.http_check, "command": test.command}
    return [name for name, value in kinds.items() if value is not None]


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, _DOCUMENT), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    name_matches_folder,
    namespace_is_not_reserved,
    namespace_has_one_owner,
    approval_names_approvers,
    an_approved_plan_is_bound,
    test_names_are_unique,
    tests_have_one_kind,
    tests_name_known_services,
    http_checks_ask_permitted_addresses,
    *FLEET_RULES,
    *CALENDAR_RULES,
    *DRIFT_RULES,
    *PROMOTION_RULES,
)
