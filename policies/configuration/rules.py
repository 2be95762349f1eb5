"""What must hold of configuration and flags that their JSON Schemas cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from policies.configuration.flags.rules import FLAG_RULES
from policies.configuration.values_rules import VALUE_RULES
from policies.declarations import EnvironmentDeclarations
from policies.findings import (
    Finding,
    Rule,
    environment_file,
    environment_rule,
    suggestion,
)


@environment_rule("configuration.environment-matches-folder")
def environment_matches_folder(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Both documents say which environment they are of, and that is their folder's."""
    named = {"configuration": declared.configuration.environment, "flags": declared.flags.environment}
    for document, name in named.items():
        if name != environment:
            what = f"the document is for {name}, its folder is {environment}"
            yield _finding(environment, document, "environment", what, f"write {environment}")


@environment_rule("configuration.service-exists")
def configured_services_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Values are given to services that the environment runs."""
    known = {service.name for service in declared.services.services}
    for name in declared.configuration.values:
        if name not in known:
            what = f"the environment {environment} has no service {name}"
            fix = suggestion(name, known, "define it in services.yaml")
            yield _finding(environment, "configuration", f"values.{name}", what, fix)


@environment_rule("configuration.key-owner")
def keys_have_one_owner(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A service reads a key from one place: its fixed environment variables or its configuration."""
    variables = {service.name: service.env for service in declared.services.services}
    for name, values in declared.configuration.values.items():
        for key in values:
            if key in variables.get(name, {}):
                what = f"{key} of {name} is also set in its env in services.yaml"
                yield _finding(environment, "configuration", f"values.{name}.{key}", what, "keep it in one of the two")


def _finding(environment: str, document: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, document), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    environment_matches_folder,
    configured_services_exist,
    keys_have_one_owner,
    *VALUE_RULES,
    *FLAG_RULES,
)
