"""Which value a service gets: tenant in the environment, else the environment, else the service's default. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from policies.configuration.spec import ConfigurationSpec, Scalar, ValueDetails, ValueSchema
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_secrets import is_secret_text
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import environment_file, tenant_file
from policies.services.spec import ConfigurationNeed
from policies.spec import Spec

Layer = Literal["tenant", "environment", "default"]
LAYERS: tuple[Layer, ...] = ("tenant", "environment", "default")


class Declared(Spec):
    """A value as one layer declares it, and where: ``path`` in ``file``.

    ``key`` names the tenant only in the layer ``tenant``. ``value`` of a secret is its form in Git.
    """

    key: ConfigurationKey
    layer: Layer
    value: Scalar
    file: str
    path: str
    tags: tuple[str, ...] = ()
    schemas: tuple[ValueSchema, ...] = ()

    @property
    def is_secret(self) -> bool:
        """Whether the value stands there in a form that only Vault can open."""
        return is_secret_text(self.value)


def declared_layers(declarations: Declarations, key: ConfigurationKey) -> Iterator[Declared]:
    """All values that are declared for ``key``, the one that counts first. Nothing where nothing is declared."""
    declared = declarations.environments.get(key.environment)
    if declared is None:
        return
    if key.tenant_id is not None:
        yield from _of_tenant(declarations, declared, key)
    common = key.for_all_tenants()
    values = declared.configuration.values.get(key.service, {})
    if key.key in values:
        file, path = environment_file(key.environment, "configuration"), f"values.{key.service}.{key.key}"
        yield _declared(declared, common, "environment", values[key.key], (file, path))
    place, need = need_of(declared, key.service, key.key)
    if need is not None and need.default is not None:
        file, path = environment_file(key.environment, "services"), f"{place}.default"
        yield _declared(declared, common, "default", need.default, (file, path))


def resolve(declarations: Declarations, key: ConfigurationKey) -> Declared | None:
    """The value that ``key`` has; None where no layer has one."""
    return next(declared_layers(declarations, key), None)


def effective(
    declarations: Declarations,
    environment: str,
    *,
    service: str | None = None,
    key: str | None = None,
    tenant_id: str | None = None,
) -> list[Declared]:
    """What ``tenant_id`` (None: nobody in particular) gets of an environment, ordered by service and key."""
    wanted = {
        msgspec.structs.replace(one, tenant_id=tenant_id)
        for one in _keys(declarations, environment)
        if one.tenant_id in (None, tenant_id) and service in (None, one.service) and key in (None, one.key)
    }
    found = (resolve(declarations, one) for one in wanted)
    return sorted((one for one in found if one is not None), key=lambda one: (one.key.service, one.key.key))


def need_of(declared: EnvironmentDeclarations, service: str, key: str) -> tuple[str, ConfigurationNeed | None]:
    """What ``service`` says about ``key`` in services.yaml, after its path; ``("", None)`` where it says nothing."""
    for index, one in enumerate(declared.services.services):
        if one.name == service:
            for place, need in enumerate(one.configuration or ()):
                if need.key == key:
                    return f"services[{index}].configuration[{place}]", need
    return "", None


def details_of(configuration: ConfigurationSpec, service: str, key: str) -> ValueDetails:
    """What configuration.yaml says about a value beside the value."""
    return configuration.details.get(service, {}).get(key, ValueDetails())


def schemas_of(declared: EnvironmentDeclarations, service: str, key: str) -> tuple[ValueSchema, ...]:
    """Every schema that a value of ``key`` must keep: the service's and the environment's."""
    _, need = need_of(declared, service, key)
    details = details_of(declared.configuration, service, key)
    return tuple(schema for schema in (need.schema if need else None, details.schema) if schema is not None)


def _of_tenant(
    declarations: Declarations, declared: EnvironmentDeclarations, key: ConfigurationKey
) -> Iterator[Declared]:
    tenant = declarations.tenants.get(key.tenant_id or "")
    if tenant is None or key.environment not in tenant.overrides:
        return
    own: Mapping[str, Scalar] = tenant.overrides[key.environment].configuration.get(key.service, {})
    if key.key in own:
        path = f"overrides.{key.environment}.configuration.{key.service}.{key.key}"
        yield _declared(declared, key, "tenant", own[key.key], (tenant_file(tenant.name), path))


def _declared(
    declared: EnvironmentDeclarations, key: ConfigurationKey, layer: Layer, value: Scalar, place: tuple[str, str]
) -> Declared:
    file, path = place
    return Declared(
        key=key,
        layer=layer,
        value=value,
        file=file,
        path=path,
        tags=details_of(declared.configuration, key.service, key.key).tags,
        schemas=schemas_of(declared, key.service, key.key),
    )


def _keys(declarations: Declarations, environment: str) -> Iterator[ConfigurationKey]:
    """Every key that some layer gives a value to."""
    declared = declarations.environments[environment]
    namespace = declared.environment.namespace

    def named(service: str, key: str, tenant: str | None = None) -> ConfigurationKey:
        return ConfigurationKey(
            namespace=namespace, environment=environment, service=service, key=key, tenant_id=tenant
        )

    for one in declared.services.services:
        yield from (named(one.name, need.key) for need in one.configuration or () if need.default is not None)
    for service, values in declared.configuration.values.items():
        yield from (named(service, key) for key in values)
    for tenant in declarations.tenants.values():
        overrides = tenant.overrides.get(environment)
        for service, values in overrides.configuration.items() if overrides is not None else ():
            yield from (named(service, key, tenant.name) for key in values)
