"""What every model of a declaration has in common."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _SpecMeta(msgspec.StructMeta):
    """Tells type checkers that subclasses are frozen too; msgspec alone tells them only about the class itself."""


class Spec(
    msgspec.Struct, metaclass=_SpecMeta, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of every model read from a declaration: immutable, unknown keys refused."""
