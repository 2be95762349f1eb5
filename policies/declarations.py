"""Every declaration of a repository at one commit, read and typed.

Shape only: whether the documents agree with one another is for
:mod:`policies.rules`, what they mean for :mod:`policies.desired_state`.
"""

from __future__ import annotations

from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.infrastructure.spec import EnvironmentSpec
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec


class EnvironmentDeclarations(Spec):
    """The four documents under ``environments/<name>/``."""

    environment: EnvironmentSpec
    services: ServicesSpec
    configuration: ConfigurationSpec
    flags: FlagsSpec


class Declarations(Spec):
    """All environments and all tenants, each by the name of its folder or file."""

    environments: dict[str, EnvironmentDeclarations]
    tenants: dict[str, TenantSpec]
