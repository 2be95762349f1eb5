"""What a reader hands out, and how long it believes what."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from policies.configuration.values import ConfigurationKey, Json

Default = TypeVar("Default")
Scope = tuple[str, str, str | None, str | None]
"""Namespace, environment, service (None: all of them), tenant (None: nobody in particular)."""


class Reading(msgspec.Struct, frozen=True):
    """A value as a service gets it.

    ``is_found`` is False where neither the tenant nor the environment has one.
    ``is_stale``: what could confirm it is away, so this is what was true last.
    """

    value: Json
    version: int
    is_found: bool = True
    is_secret: bool = False
    is_stale: bool = False
    layer: Literal["tenant", "environment"] | None = None

    def or_default(self, default: Default) -> Json | Default:
        """The value, or ``default`` where there is none."""
        return self.value if self.is_found else default

    def __repr__(self) -> str:
        """Without the value of a secret."""
        value = "(secret)" if self.is_secret else repr(self.value)
        return f"Reading({value}, version={self.version}, layer={self.layer}, is_stale={self.is_stale})"

    __str__ = __repr__


MISSING = Reading(value=None, version=0, is_found=False)


class Values(msgspec.Struct, frozen=True):
    """All values of a service; ``unavailable`` are those that cannot be had now and were not known, and why."""

    readings: dict[ConfigurationKey, Reading]
    unavailable: dict[ConfigurationKey, str]


class Times(msgspec.Struct, frozen=True):
    """How long what is believed, in seconds.

    ``unheard`` is for a process that cannot hear of changes; ``patience`` is how
    long a caller waits for a new value while an older one is at hand.
    """

    shared: float = 300.0
    shared_missing: float = 30.0
    in_process: float = 300.0
    unheard: float = 5.0
    retry: float = 1.0
    patience: float = 0.25
    load: float = 15.0
    jitter_share: float = 0.1


DEFAULT_TIMES = Times()


class Health(msgspec.Struct, frozen=True):
    """How the reader is doing: what is away (and why, by name), and what it has seen."""

    away: dict[str, str]
    is_hearing: bool
    entries: int
    forged_entries: int
    stale_served: int
