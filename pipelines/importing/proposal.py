"""The outcome of an import, of a platform's namespace or of a tenant's; and what a delivery would do there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from infra.metadata import MANAGED_BY
from pipelines.importing.differences import Comparison
from pipelines.importing.model import Contents, Kind, ProposedFile, Row

_KINDS: tuple[str, ...] = get_args(Kind)
_MANAGED = "app.kubernetes.io/managed-by"
TAKEN_OVER = (
    "others made this namespace, so that a delivery into it is refused: a restore of that delivery would delete the"
    " namespace with everything in it"
)
DELIVERED = "ADX delivers this namespace already: what it declares is in a repository"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The files, the rows, where they would be delivered, and where every leaf of every object went."""

    files: tuple[ProposedFile, ...]
    rows: tuple[Row, ...]
    target_namespace: str
    comparisons: Mapping[str, Comparison]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The gravest first, then by object and place."""
    return sorted(rows, key=lambda row: (_KINDS.index(row.kind), row.object, row.field, row.path, row.what))


def dangers(contents: Contents, target: str) -> Iterator[Row]:
    """What to know before anything is delivered into ``target``, if that is the namespace that was read."""
    labels = contents.of("Namespace")[0]["metadata"].get("labels") or {} if contents.of("Namespace") else {}
    if labels.get(_MANAGED) == MANAGED_BY:
        yield Row(kind="danger", object=f"Namespace/{contents.namespace}", field="", what=DELIVERED)
    elif contents.namespace == target:
        yield danger_of(target)


def danger_of(target: str) -> Row:
    """That ``target`` is there, and not ADX's."""
    return Row(kind="danger", object=f"Namespace/{target}", field="", what=TAKEN_OVER)
