"""Configuration values and feature flags of one environment.

``environments/<env>/configuration.yaml`` and ``environments/<env>/flags.yaml``.
"""

from __future__ import annotations

from typing import Literal

from policies.spec import Spec

Scalar = str | int | float | bool


class ConfigurationSpec(Spec):
    """``values[service][key]``: what the service reads in this environment."""

    environment: str
    values: dict[str, dict[str, Scalar]]


class FlagSpec(Spec):
    """One feature flag; ``type`` says which of the four value fields is set.

    ``percentage`` is of users, 0 to 100.
    """

    name: str
    description: str
    owner: str
    type: Literal["boolean", "percentage", "user_list", "tenant_list"]
    enabled: bool | None = None
    percentage: float | None = None
    users: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None


class FlagsSpec(Spec):
    """All feature flags of one environment."""

    environment: str
    flags: tuple[FlagSpec, ...]
