"""Which model stands for which kind of declaration."""

from __future__ import annotations

from collections.abc import Mapping

from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.infrastructure.spec import EnvironmentSpec
from policies.migrations.spec import MigrationsSpec
from policies.schemas import Kind
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec

MODELS: Mapping[Kind, type[Spec]] = {
    "environment": EnvironmentSpec,
    "services": ServicesSpec,
    "configuration": ConfigurationSpec,
    "flags": FlagsSpec,
    "migrations": MigrationsSpec,
    "tenant": TenantSpec,
}
