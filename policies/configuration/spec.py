"""Configuration values and feature flags of one environment.

``environments/<env>/configuration.yaml`` and ``environments/<env>/flags.yaml``.
"""

from __future__ import annotations

from typing import Literal

from msgspec import field

from policies.configuration.flags.spec import FlagSpec, FlagsSpec
from policies.spec import Spec

__all__ = ["ConfigurationSpec", "FlagSpec", "FlagsSpec", "Scalar"]

Scalar = str | int | float | bool


class ValueSchema(Spec, rename="camel"):
    """What a value must be, in the words of JSON Schema; what is None says nothing."""

    type: Literal["string", "integer", "number", "boolean"] | None = None
    enum: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: (
        Literal["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"] | None
    ) = None


class ValueDetails(Spec):
    """What else is said about one value."""

    schema: ValueSchema | None = None
    tags: tuple[str, ...] = ()


class ConfigurationSpec(Spec):
    """``values[service][key]``: what the service reads in this environment; ``details`` goes with it.

    A text that begins with ``vault:`` is a secret (:mod:`policies.configuration.values_secrets`).
    """

    environment: str
    values: dict[str, dict[str, Scalar]]
    details: dict[str, dict[str, ValueDetails]] = field(default_factory=dict)
