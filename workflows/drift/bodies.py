"""What is kept before a heal: the objects that it will overwrite, as they are live, and what they are made."""

from __future__ import annotations

from typing import Any

from policies.spec import Spec


class HealedObject(Spec):
    """One object: ``live`` as the API server had it (None: it was missing), ``delivered`` as it is put back."""

    unit: str
    delivered: dict[str, Any]
    live: dict[str, Any] | None = None


class HealSnapshotBody(Spec):
    """The objects of one heal by their ids."""

    environment: str
    rollout_id: str
    objects: dict[str, HealedObject]
