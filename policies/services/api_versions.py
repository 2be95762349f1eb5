"""Rules about which versions of whose API a service calls."""

from __future__ import annotations

from collections.abc import Iterator

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, suggestion


@environment_rule("services.api-version")
def called_apis_are_served(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Every version of an API that a service calls is served by the service of that name, as declared together."""
    file = environment_file(environment, "services")
    known = {service.name: service for service in declared.services.services}
    for index, service in enumerate(declared.services.services):
        for name, versions in service.api_versions.items():
            path, callee = f"services[{index}].api_versions.{name}", known.get(name)
            if name not in service.dependencies:
                what = f"{service.name} says which versions of the API of {name} it calls, but does not depend on it"
                fix = suggestion(name, service.dependencies, f"add {name} to dependencies")
                yield Finding(file=file, path=path, what=what, fix=fix)
            # A dependency that is missing is said by the rule for that.
            served = versions if callee is None else callee.serves_api_versions
            for place, version in enumerate(versions):
                if version not in served:
                    what = f"{service.name} calls version {version} of the API of {name}, which {name} does not serve"
                    fix = suggestion(version, served, f"add {version} to serves_api_versions of {name}")
                    yield Finding(file=file, path=f"{path}[{place}]", what=what, fix=fix)


RULES: tuple[Rule, ...] = (called_apis_are_served,)
