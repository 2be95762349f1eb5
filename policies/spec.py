"""What every model of a declaration has in common."""

from __future__ import annotations

import msgspec


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every model read from a declaration: immutable, unknown keys refused."""
