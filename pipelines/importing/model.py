"""What `adx import` reads and what it proposes. Pure data; holds no secret and nothing out of a Secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.spec import Spec

Json = dict[str, Any]

# In the order in which a person wants to know them.
Kind = Literal["danger", "secret", "lost", "guessed", "changed", "added"]


class Row(Spec):
    """One thing that is not as it was, or not sure.

    - ``danger``   what a delivery would do to what runs
    - ``secret``   a secret, or what looks like one: a reference stands in its place
    - ``lost``     the cluster has it, declarations have no word for it
    - ``guessed``  ADX needs it, the cluster does not say it
    - ``changed``  ADX does it in another way
    - ``added``    ADX does what nobody had asked for

    ``object`` is ``Deployment/cart``, ``field`` the place in it (empty: all of it); ``file`` and ``path`` are the
    place in the proposal that it is about, where there is one. ``value`` is what was there and, after an arrow, what
    comes; never that of a variable.
    """

    kind: Kind
    object: str
    field: str
    what: str
    value: str = ""
    file: str = ""
    path: str = ""


class Other(Spec):
    """An object of which only the name was read."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a namespace: ``objects`` in full, by kind; ``others`` by name; ``unread`` are kinds, with the reason.

    ``pods`` are read for the digests of their images alone.
    """

    namespace: str
    objects: Mapping[str, tuple[Json, ...]]
    others: tuple[Other, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[Json, ...] = ()

    def of(self, kind: str) -> tuple[Json, ...]:
        """The objects of ``kind``, ordered by name."""
        return tuple(sorted(self.objects.get(kind, ()), key=lambda item: str(item["metadata"]["name"])))


class ProposedFile(Spec):
    """One file: its ``path`` from the root of the repository, and its text."""

    path: str
    text: str


class Imported(Spec):
    """The whole answer. ``problems`` are what `adx validate` would say of the repository with the files in it."""

    namespace: str
    environment: str
    target_namespace: str
    files: tuple[ProposedFile, ...]
    rows: tuple[Row, ...]
    objects: int
    problems: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    tenant: str | None = None


def name_of(item: Mapping[str, Any]) -> str:
    """``Deployment/cart``."""
    return f"{item['kind']}/{item['metadata']['name']}"
