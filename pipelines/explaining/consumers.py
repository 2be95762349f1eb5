"""Who would notice a change of a unit, as the declarations say it. Pure, in the order of names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.explaining.model import Consumer
from pipelines.explaining.subject import CONFIGURATION, Subject
from policies.configuration.flags.spec import FlagSpec, tenants_of
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import environment_file, tenant_file
from policies.infrastructure.spec import PostDeploymentTest
from policies.tenancy.spec import Overrides, TenantSpec


def consumers_of(declarations: Declarations, environment: str, unit: str, subject: Subject) -> tuple[Consumer, ...]:
    """Everything in ``environment`` that depends on ``unit``, as far as ``subject`` is about it."""
    declared = declarations.environments[environment]
    tenants = [tenant for tenant in declarations.tenants.values() if environment in tenant.environments]
    kind, _, name = unit.partition("/")
    if kind == "tenant":
        return tuple(_of_tenant(declared, name))
    if kind == "service":
        overriding = _overriding(tenants, environment, name, subject.key)
        is_whole = subject.system != CONFIGURATION
        return (*(_of_service(declared, tenants, name) if is_whole else ()), *overriding)
    if subject.flags:
        return tuple(_unique(_of_flags(declared, tenants, subject.flags)))
    return tuple(_of_platform(declared, tenants))


def _of_service(declared: EnvironmentDeclarations, tenants: list[TenantSpec], name: str) -> Iterator[Consumer]:
    environment = declared.environment.name
    file = environment_file(environment, "services")
    for service in sorted(declared.services.services, key=lambda one: one.name):
        if name in service.dependencies:
            yield Consumer(kind="service", name=service.name, how="called by", file=file)
    for tenant in tenants:
        if name in tenant.network.services:
            yield Consumer(kind="tenant", name=tenant.name, how="reached by", file=tenant_file(tenant.name))
    for test in declared.environment.post_deployment_tests:
        if _names(test, name):
            file = environment_file(environment, "environment")
            yield Consumer(kind="test", name=test.name, how="tested by", file=file)


def _names(test: PostDeploymentTest, service: str) -> bool:
    """Whether the test is about the service, asks its address, or is a command that names it."""
    if test.workload_ready is not None:
        return test.workload_ready.service == service
    texts = test.command.arguments if test.command else (test.http_check.url,) if test.http_check else ()
    word = re.compile(rf"(?<![\w-]){re.escape(service)}(?![\w-])")
    return any(word.search(text) for text in texts)


def _overriding(tenants: list[TenantSpec], environment: str, service: str, key: str) -> Iterator[Consumer]:
    for tenant in tenants:
        values = tenant.overrides.get(environment, Overrides()).configuration.get(service, {})
        if key in values or (values and not key):
            yield _overrider(tenant)


def _of_flags(
    declared: EnvironmentDeclarations, tenants: list[TenantSpec], names: tuple[str, ...]
) -> Iterator[Consumer]:
    environment = declared.environment.name
    for service in sorted(declared.services.services, key=lambda one: one.name):
        if set(names).intersection(service.feature_flags):
            file = environment_file(environment, "services")
            yield Consumer(kind="service", name=service.name, how="read by", file=file)
    for flag in declared.flags.flags:
        if flag.name in names:
            yield from _listed(environment, flag)
    for tenant in tenants:
        if set(names).intersection(tenant.overrides.get(environment, Overrides()).flags):
            yield _overrider(tenant)


def _listed(environment: str, flag: FlagSpec) -> Iterator[Consumer]:
    for tenant in sorted(set(tenants_of(flag))):
        yield Consumer(kind="tenant", name=tenant, how="on for", file=environment_file(environment, "flags"))


def _of_tenant(declared: EnvironmentDeclarations, name: str) -> Iterator[Consumer]:
    for flag in sorted(declared.flags.flags, key=lambda one: one.name):
        if name in tenants_of(flag):
            file = environment_file(declared.environment.name, "flags")
            yield Consumer(kind="flag", name=flag.name, how="named by", file=file)


def _of_platform(declared: EnvironmentDeclarations, tenants: list[TenantSpec]) -> Iterator[Consumer]:
    file = environment_file(declared.environment.name, "services")
    for service in sorted(declared.services.services, key=lambda one: one.name):
        yield Consumer(kind="service", name=service.name, how="used by", file=file)
    for tenant in tenants:
        yield Consumer(kind="tenant", name=tenant.name, how="used by", file=tenant_file(tenant.name))


def _overrider(tenant: TenantSpec) -> Consumer:
    return Consumer(kind="tenant", name=tenant.name, how="overridden by", file=tenant_file(tenant.name))


def _unique(consumers: Iterator[Consumer]) -> Iterator[Consumer]:
    """Each once: several flags may be read by one service."""
    seen: set[tuple[str, str, str]] = set()
    for consumer in consumers:
        if (consumer.kind, consumer.name, consumer.how) not in seen:
            seen.add((consumer.kind, consumer.name, consumer.how))
            yield consumer
