"""A part of a declaration → the units it goes into, and what else there is to say about it. Pure."""

from __future__ import annotations

from policies.declarations import Declarations
from policies.desired_state import PLATFORM_UNIT, service_unit_id, tenant_unit_id
from policies.migrations.spec import platform_versions, version_for
from policies.spec import Spec
from policies.tree_layout import Declared
from policies.yaml_places import Steps

CONFIGURATION = "configuration"

_OF_ENVIRONMENT = {
    "description": "Only for people: it becomes no object.",
    "approval": "Decides whether a person must agree before a rollout applies anything; it becomes no object.",
    "roles": "Who stands behind role:NAME under approvers; it becomes no object.",
    "promotion": "Which gates a promotion into the environment must pass; it becomes no object.",
    "drift": "How often the cluster is compared with what was delivered, and if it is healed; it becomes no object.",
    "review": "Holds a rollout to what a reviewer saw; it becomes no object.",
    "rollout": "How a rollout waits for its workloads and reaches the tenants; it becomes no object.",
    "freezes": "When no rollout may start; they become no object.",
    "windows": "When rollouts may start; they become no object.",
    "post_deployment_tests": "Run at the end of each rollout, which is restored when one fails; they become no object.",
    "snapshots": "How long snapshots are kept; it becomes no object.",
}
_CONFIGURATION_NOTE = "Environment variables of the service's pods: a change restarts them."
_FLAGS_NOTE = "A file in the pods of the services that read it: a change reaches them without a restart."
_OVERRIDES_NOTE = "A document in the tenant's namespace, for its workloads: a change restarts nothing."


class Subject(Spec):
    """What is asked about. ``units`` are pairs of environment and unit id.

    ``system`` narrows the units' objects to those that one system renders
    (empty: all); ``flags`` and ``key`` (of a configuration) narrow consumers.
    """

    title: str
    units: tuple[tuple[str, str], ...] = ()
    system: str = ""
    flags: tuple[str, ...] = ()
    key: str = ""
    notes: tuple[str, ...] = ()


def subject_of(declared: Declared, steps: Steps, declarations: Declarations) -> Subject:
    """The subject at ``steps`` of the declaration ``declared``."""
    match declared.kind:
        case "environment":
            return _of_environment(declared.name, steps, declarations)
        case "services":
            return _of_services(declared.name, steps, declarations)
        case "configuration":
            return _of_configuration(declared.name, steps, declarations)
        case "flags":
            return _of_flags(declared.name, steps, declarations)
        case "migrations":
            return _of_migrations(declared.name, declarations)
        case "tenant":
            return _of_tenant(declared.name, steps, declarations)


def _of_migrations(environment: str, declarations: Declarations) -> Subject:
    declared = declarations.environments[environment].migrations
    platform = ((environment, PLATFORM_UNIT),) if platform_versions(declared) else ()
    tenants = tuple(
        (environment, tenant_unit_id(tenant.name))
        for tenant in declarations.tenants.values()
        if environment in tenant.environments and version_for(tenant.database.engine, declared) is not None
    )
    return Subject(title=f"the databases of {environment}", units=(*platform, *tenants))


def _of_environment(name: str, steps: Steps, declarations: Declarations) -> Subject:
    environment = declarations.environments[name].environment
    note = _OF_ENVIRONMENT.get(str(steps[0])) if steps else None
    if note is not None:
        return Subject(title=environment.description, notes=(note,))
    return Subject(title=environment.description, units=((name, PLATFORM_UNIT),))


def _of_services(environment: str, steps: Steps, declarations: Declarations) -> Subject:
    services = declarations.environments[environment].services.services
    title = f"the services of {environment}"
    match steps:
        case ["services", int(index), *_]:
            chosen = services[index]
            services, title = services[index : index + 1], f"{chosen.name}: {chosen.description}"
    return Subject(title=title, units=tuple((environment, service_unit_id(service.name)) for service in services))


def _of_configuration(environment: str, steps: Steps, declarations: Declarations) -> Subject:
    values = declarations.environments[environment].configuration.values
    match steps:
        case ["values", str(service), *rest]:
            names, title = [service], f"what {service} reads at its start"
            key = str(rest[0]) if rest else ""
        case _:
            names, title, key = sorted(values), f"what the services of {environment} read at their start", ""
    return Subject(
        title=title,
        units=tuple((environment, service_unit_id(name)) for name in names),
        system=CONFIGURATION,
        key=key,
        notes=(_CONFIGURATION_NOTE,),
    )


def _of_flags(environment: str, steps: Steps, declarations: Declarations) -> Subject:
    flags = declarations.environments[environment].flags.flags
    title = f"the feature flags of {environment}"
    match steps:
        case ["flags", int(index), *_]:
            chosen = flags[index]
            flags, title = flags[index : index + 1], f"{chosen.name}: {chosen.description}"
    names = tuple(flag.name for flag in flags)
    units = ((environment, PLATFORM_UNIT),)
    return Subject(title=title, units=units, system=CONFIGURATION, flags=names, notes=(_FLAGS_NOTE,))


def _of_tenant(name: str, steps: Steps, declarations: Declarations) -> Subject:
    tenant = declarations.tenants[name]
    environments, system = tenant.environments, ""
    match steps:
        case ["environments", int(index)]:
            environments = (tenant.environments[index],)
        case ["overrides", str(environment), "configuration" | "flags", *_]:
            environments, system = (environment,), CONFIGURATION
        case ["overrides", str(environment), *_]:
            environments = (environment,)
    units = tuple((environment, tenant_unit_id(name)) for environment in environments)
    notes = (_OVERRIDES_NOTE,) if system else ()
    return Subject(title=tenant.display_name, units=units, system=system, notes=notes)
