"""Every declaration of a repository at one commit, read and typed.

Shape only: whether the documents agree with one another is for
:mod:`policies.rules`, what they mean for :mod:`policies.desired_state`.
"""

from __future__ import annotations

from msgspec import field

from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.infrastructure.spec import EnvironmentSpec
from policies.migrations.model import ScriptSet
from policies.migrations.spec import MigrationsSpec
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec


class EnvironmentDeclarations(Spec):
    """The documents under ``environments/<name>/``; one without migrations has no ``migrations.yaml``."""

    environment: EnvironmentSpec
    services: ServicesSpec
    configuration: ConfigurationSpec
    flags: FlagsSpec
    migrations: MigrationsSpec | None = None


class Declarations(Spec):
    """All environments, all tenants and the scripts of all databases, each by the name of its folder or file."""

    environments: dict[str, EnvironmentDeclarations]
    tenants: dict[str, TenantSpec]
    databases: dict[str, ScriptSet] = field(default_factory=dict)
