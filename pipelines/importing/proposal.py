"""The outcome of an import, of a platform's namespace or of a tenant's; and what a delivery would do there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from infra.metadata import MANAGED_BY, MANAGED_BY_LABEL
from pipelines.importing.differences import Comparison
from pipelines.importing.model import Contents, Json, Kind, ProposedFile, Row, name_of
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL
from workflows.infrastructure.occupied import made_by_others

_KINDS: tuple[str, ...] = get_args(Kind)
TAKEN_OVER = (
    "others made this namespace, so that a delivery into it is refused: a restore of that delivery would delete the"
    " namespace with everything in it"
)
OF_ANOTHER = (
    "ADX's environment {} has this namespace, so that a delivery of {} into it is refused: what exists there is that"
    " environment's, and a restore would delete it"
)
DELIVERED = "ADX delivers this namespace already: what it declares is in a repository"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The files, the rows, where they would be delivered, and where every leaf of every object went.

    ``in_clear`` counts the values of variables that the files hold as they were.
    """

    files: tuple[ProposedFile, ...]
    rows: tuple[Row, ...]
    target_namespace: str
    comparisons: Mapping[str, Comparison]
    in_clear: int = 0


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The gravest first, then by object and place."""
    return sorted(rows, key=lambda row: (_KINDS.index(row.kind), row.object, row.field, row.path, row.what))


def dangers(contents: Contents, target: str, environment: str) -> Iterator[Row]:
    """What to know before ``environment`` is delivered into ``target``, if that is the namespace that was read."""
    bare: Json = {"kind": "Namespace", "metadata": {"name": contents.namespace}}
    namespace = next(iter(contents.of("Namespace")), bare)
    refused = danger_of(namespace, environment) if contents.namespace == target else None
    if refused is not None:
        yield refused
    elif _labels(namespace).get(MANAGED_BY_LABEL) == MANAGED_BY:
        yield Row(kind="danger", object=name_of(namespace), field="", what=DELIVERED)


def danger_of(namespace: Json, environment: str) -> Row | None:
    """That a delivery of ``environment`` into ``namespace``, which is there, is refused; None where it is not."""
    if not made_by_others([namespace], environment):
        return None
    labels = _labels(namespace)
    other = labels.get(ENVIRONMENT_LABEL) if labels.get(MANAGED_BY_LABEL) == MANAGED_BY else None
    what = OF_ANOTHER.format(other, environment) if other else TAKEN_OVER
    return Row(kind="danger", object=name_of(namespace), field="", what=what)


def _labels(namespace: Json) -> Json:
    return namespace["metadata"].get("labels") or {}
