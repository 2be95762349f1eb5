"""What must hold of values that JSON Schema cannot say: needed keys, schemas of values, forms of secrets."""

from __future__ import annotations

from collections.abc import Iterator

from policies.configuration.spec import Scalar, ValueSchema
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_resolution import need_of, schemas_of
from policies.configuration.values_schemas import why_schema_is_refused, why_value_is_refused
from policies.configuration.values_secrets import is_secret_text, parse_secret, why_secret_is_refused
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import (
    Finding,
    Rule,
    environment_file,
    environment_rule,
    repeated,
    suggestion,
    tenant_file,
    tenant_rule,
)
from policies.services.spec import ConfigurationNeed, ServiceSpec
from policies.tenancy.spec import TenantSpec

_ENCRYPT = "make the value with `adx config encrypt`, or refer to Vault with vault:mount/path#field"


@environment_rule("configuration.need-unique")
def needs_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A service says about a key once what it needs."""
    for path, service in _services(declared):
        for index, key, first in repeated(need.key for need in service.configuration or ()):
            what = f"the key {key} of {service.name} is already in configuration[{first}]"
            yield _services_finding(environment, f"{path}.configuration[{index}].key", what, "keep one of the two")


@environment_rule("configuration.need-met")
def needed_keys_have_values(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Every key that a service needs has a value or a default."""
    for path, need, service in _needs(declared):
        values = declared.configuration.values.get(service.name, {})
        if need.required and need.default is None and need.key not in values:
            what = f"{service.name} needs {need.key}, and {environment} has no value for it"
            fix = suggestion(need.key, values, f"add values.{service.name}.{need.key} to configuration.yaml")
            yield _services_finding(environment, path, what, f"{fix}; or give it a default, or required: false")


@environment_rule("configuration.unused")
def values_are_needed(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A service that says what it needs is given nothing else."""
    for _, service in _services(declared):
        if service.configuration is None:
            continue
        needed = {need.key for need in service.configuration}
        for key in declared.configuration.values.get(service.name, {}):
            if key not in needed:
                what = f"{service.name} does not read {key}"
                fix = suggestion(key, needed, "take it out, or add it to the service's configuration in services.yaml")
                yield _finding(environment, f"values.{service.name}.{key}", what, fix)


@environment_rule("configuration.details")
def details_are_about_values(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Details belong to a value that is there."""
    for service, details in declared.configuration.details.items():
        values = declared.configuration.values.get(service, {})
        for key in details.keys() - values.keys():
            fix = suggestion(key, values, "add the value, or take the details out")
            yield _finding(environment, f"details.{service}.{key}", f"there is no value {key} of {service}", fix)


@environment_rule("configuration.value-schema")
def schemas_can_be_used(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A schema of a value is well made."""
    for path, need, _ in _needs(declared):
        why = why_schema_is_refused(need.schema) if need.schema is not None else None
        if why is not None:
            yield _services_finding(environment, f"{path}.schema", why, "correct the schema")
    for service, details in declared.configuration.details.items():
        for key, one in details.items():
            why = why_schema_is_refused(one.schema) if one.schema is not None else None
            if why is not None:
                yield _finding(environment, f"details.{service}.{key}.schema", why, "correct the schema")


@environment_rule("configuration.value")
def values_keep_their_schemas(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A value, and a default, is what its schemas say. Of a secret only whoever encrypts it can know."""
    for path, need, _ in _needs(declared):
        if need.default is not None and need.schema is not None:
            for why in _refusals(need.default, (need.schema,)):
                yield _services_finding(environment, f"{path}.default", why, "correct the default or the schema")
    for service, values in declared.configuration.values.items():
        for key, value in values.items():
            for why in _refusals(value, schemas_of(declared, service, key)):
                yield _finding(environment, f"values.{service}.{key}", why, "write a value that its schema accepts")


@tenant_rule("configuration.override-value")
def overrides_keep_the_schemas(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A tenant's own value is what the schemas of the value say."""
    for path, key, value, declared in _overrides(name, tenant, declarations):
        for why in _refusals(value, schemas_of(declared, key.service, key.key)):
            yield Finding(file=tenant_file(name), path=path, what=why, fix="write a value that its schema accepts")


@environment_rule("configuration.secret")
def secrets_have_their_form(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """What is declared as a secret is one, in one of the two forms; what is a secret is not declared otherwise."""
    namespace = declared.environment.namespace
    for path, need, service in _needs(declared):
        if need.default is not None and (need.secret or is_secret_text(need.default)):
            what = f"{need.key} of {service.name} is a secret and has a default, which all environments would share"
            yield _services_finding(environment, f"{path}.default", what, "take the default out")
    for service_name, values in declared.configuration.values.items():
        for key, value in values.items():
            named = ConfigurationKey(namespace=namespace, environment=environment, service=service_name, key=key)
            _, need_ = need_of(declared, service_name, key)
            for what, fix in _secret_problems(named, value, need_):
                yield _finding(environment, f"values.{service_name}.{key}", what, fix)


@tenant_rule("configuration.override-secret")
def overrides_have_the_form_of_secrets(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A tenant's own value of a secret is a secret, and of this tenant."""
    for path, key, value, declared in _overrides(name, tenant, declarations):
        _, need = need_of(declared, key.service, key.key)
        problems = list(_secret_problems(key, value, need))
        common = declared.configuration.values.get(key.service, {}).get(key.key, value)
        if not problems and is_secret_text(common) and not is_secret_text(value):
            problems = [(f"{key.key} of {key.service} is a secret, and it stands here in clear", _ENCRYPT)]
        for what, fix in problems:
            yield Finding(file=tenant_file(name), path=path, what=what, fix=fix)


def _secret_problems(key: ConfigurationKey, value: Scalar, need: ConfigurationNeed | None) -> Iterator[tuple[str, str]]:
    """What is wrong with ``value`` as a secret, and what would be right."""
    if not isinstance(value, str) or not is_secret_text(value):
        if need is not None and need.secret:
            yield f"{key.key} of {key.service} is a secret, and it stands here in clear", _ENCRYPT
        return
    has_form = parse_secret(value) is not None
    if has_form and need is not None and not need.secret:
        fix = f"write secret: true for {need.key} in services.yaml, or write the value itself"
        yield f"{key.service} does not expect {key.key} to be a secret", fix
    why = why_secret_is_refused(value, key)
    if why is not None:
        owner = f"tenants/{key.tenant_id}/" if key.tenant_id else "no tenant's folder"
        yield why, f"refer to a path below {owner}" if has_form else _ENCRYPT


def _refusals(value: Scalar, schemas: tuple[ValueSchema, ...]) -> Iterator[str]:
    """Why ``value`` is refused; nothing for secrets, and for schemas that are refused themselves."""
    if is_secret_text(value):
        return
    for schema in schemas:
        why = why_value_is_refused(value, schema) if why_schema_is_refused(schema) is None else None
        if why is not None:
            yield why


def _overrides(
    name: str, tenant: TenantSpec, declarations: Declarations
) -> Iterator[tuple[str, ConfigurationKey, Scalar, EnvironmentDeclarations]]:
    """Path, key and value of every override, with the environment that it is made in."""
    for environment, overrides in tenant.overrides.items():
        declared = declarations.environments.get(environment)
        if declared is None:
            continue  # there is a rule of its own for that
        for service, values in overrides.configuration.items():
            for key, value in values.items():
                named = ConfigurationKey(
                    namespace=declared.environment.namespace,
                    environment=environment,
                    service=service,
                    key=key,
                    tenant_id=name,
                )
                yield f"overrides.{environment}.configuration.{service}.{key}", named, value, declared


def _services(declared: EnvironmentDeclarations) -> Iterator[tuple[str, ServiceSpec]]:
    for index, service in enumerate(declared.services.services):
        yield f"services[{index}]", service


def _needs(declared: EnvironmentDeclarations) -> Iterator[tuple[str, ConfigurationNeed, ServiceSpec]]:
    for path, service in _services(declared):
        for index, need in enumerate(service.configuration or ()):
            yield f"{path}.configuration[{index}]", need, service


def _services_finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "services"), path=path, what=what, fix=fix)


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "configuration"), path=path, what=what, fix=fix)


VALUE_RULES: tuple[Rule, ...] = (
    needs_are_unique,
    needed_keys_have_values,
    values_are_needed,
    details_are_about_values,
    schemas_can_be_used,
    values_keep_their_schemas,
    overrides_keep_the_schemas,
    secrets_have_their_form,
    overrides_have_the_form_of_secrets,
)
