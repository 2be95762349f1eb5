"""What is in a namespace → the declarations that come closest to it, and everything in which they differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pipelines.importing import comparing, documents, pods
from pipelines.importing.comparing import Comparisons
from pipelines.importing.documents import Existing
from pipelines.importing.files import environment_files
from pipelines.importing.model import Contents, Json, Row, name_of
from pipelines.importing.notes import Notes
from pipelines.importing.proposal import Proposal, dangers, in_order
from pipelines.importing.services import Draft, Place, draft_of
from pipelines.importing.workloads import valid_name, workloads_of
from policies.configuration.values_secrets import is_secret_text
from policies.declarations import Declarations
from policies.infrastructure.spec import EnvironmentSpec
from policies.schemas import validator_for

_SERVICE = re.compile(r"services\[(\d+)\]")
_LONGEST_NAMESPACE = 63
_SUFFIX = "-adx"


def propose(contents: Contents, place: Place, existing: Existing, target: str | None = None) -> Proposal:
    """Declarations of the environment of ``place``; a new one is delivered into ``target``, beside what runs.

    Never raises for what is in a cluster: what cannot be proposed is a row.
    """
    place = documents.place_with(place, existing)
    namespace = _namespace_of(contents)
    target = existing.environment.namespace if existing.environment else target or beside(contents.namespace)
    about = Notes(namespace, f"environments/{place.environment}/environment.yaml", "")
    environment: Json | EnvironmentSpec = existing.environment or documents.environment_document(
        namespace, place, target, about
    )
    drafts, refused = _drafts(contents, place, environment, existing)
    comparisons, new = _compared(contents, documents.declared(environment, existing.flags, drafts), place, drafts)
    said = [*about.rows, *refused, *(row for draft in drafts for row in draft.notes.rows)]
    rows = [
        *dangers(contents, target, place.environment),
        *said,
        *_unsaid(_placed(comparisons, drafts, place), said),
        *comparing.rows_of_the_rest(contents, comparisons.keys() | {row.object for row in refused}),
        *new,
    ]
    rows = in_order(rows)
    document = None if isinstance(environment, EnvironmentSpec) else environment
    files = environment_files(place, document, drafts, rows, has_flags=existing.flags is not None)
    return Proposal(files, tuple(rows), target, comparisons, sum(map(_in_clear, drafts)))


def _in_clear(draft: Draft) -> int:
    """How many variables stand in the files with the value that they have."""
    values = [*draft.document.get("env", {}).values(), *draft.values.values()]
    return sum(not is_secret_text(value) for value in values)


def beside(namespace: str) -> str:
    """The namespace that a new environment gets when nobody names one: never the one that is running."""
    made = valid_name(namespace)[: _LONGEST_NAMESPACE - len(_SUFFIX)].rstrip("-")
    return f"{made}{_SUFFIX}"


def _namespace_of(contents: Contents) -> Json:
    bare: Json = {"kind": "Namespace", "metadata": {"name": contents.namespace}}
    return next((item for item in contents.of("Namespace")), bare)


def _drafts(
    contents: Contents, place: Place, environment: Json | EnvironmentSpec, existing: Existing
) -> tuple[list[Draft], list[Row]]:
    """Every workload as a service; one that the rules refuse all the same is left out, with what they say."""
    maps = {str(item["metadata"]["name"]): item for item in contents.of("ConfigMap")}
    drafts = [draft_of(one, maps, place) for one in workloads_of(contents)]
    refused = [row for draft in drafts if (row := _refused_by_schema(draft)) is not None]
    names = {row.object for row in refused}
    drafts = [draft for draft in drafts if name_of(draft.workload.deployment) not in names]
    while drafts:
        problems = documents.problems_of(documents.declared(environment, existing.flags, drafts))
        wrong = {int(match.group(1)): one for one in problems if (match := _SERVICE.match(one.path))}
        if not wrong:
            break
        for number, problem in wrong.items():
            name = name_of(drafts[number].workload.deployment)
            refused.append(Row(kind="lost", object=name, field="", what=f"{problem.what}; {problem.fix}"))
        drafts = [draft for number, draft in enumerate(drafts) if number not in wrong]
    _connect(drafts)
    _look_back(drafts, contents.namespace)
    return drafts, refused


def _refused_by_schema(draft: Draft) -> Row | None:
    """A row for a service whose name or image is none that declarations take."""
    whole = {"apiVersion": "adx/v1", "kind": "Services", "environment": "any", "services": [draft.document]}
    error = next(iter(validator_for("services").iter_errors(whole)), None)
    if error is None:
        return None
    field = ".".join(map(str, error.instance_path[2:]))
    return Row(kind="lost", object=name_of(draft.workload.deployment), field=field, what=f"refused: {error.message}")


def _connect(drafts: Sequence[Draft]) -> None:
    """Add to each service whom it seems to call."""
    ports = {draft.workload.name for draft in drafts if draft.document.get("ports")}
    texts = {draft.workload.name: draft.document.get("env", {}) | draft.values for draft in drafts}
    calls = pods.called_by(texts, ports)
    for draft in drafts:
        found = calls.get(draft.workload.name, {})
        if found:
            draft.document["dependencies"] = sorted(found)
        for called, variable in sorted(found.items()):
            draft.notes.add("guessed", "", f"it seems to call {called}: {variable} is its address", at="dependencies")


def _look_back(drafts: Sequence[Draft], namespace: str) -> None:
    """Say of each value that it names the namespace that was read: there it leads back to what runs now."""
    named = re.compile(rf"\.{re.escape(namespace)}(?:[.:/]|\Z)")
    for draft in drafts:
        container = f"spec.template.spec.containers[{draft.workload.main['name']}].env"
        for name, value in (draft.document.get("env", {}) | draft.values).items():
            if named.search(value):
                at = f"env.{name}" if name in draft.document.get("env", {}) else ""
                draft.notes.add("changed", f"{container}[{name}]", f"the value leads into {namespace}", at=at)


def _compared(
    contents: Contents, declared: Declarations, place: Place, drafts: Sequence[Draft]
) -> tuple[Comparisons, list[Row]]:
    units = documents.rendered(declared, place.environment)
    found: Comparisons = comparing.compared_config_maps(contents, drafts, units)
    for draft in drafts:
        manifests = units[f"service/{draft.workload.name}"]
        found |= comparing.compared_workloads(contents, draft, manifests)
    found |= comparing.compared_alone(
        contents, [body for manifests in units.values() for body in manifests], set(found)
    )
    new = list(comparing.rows_of_the_new(units["platform"], found, None))
    for draft in drafts:
        new += comparing.rows_of_the_new(units[f"service/{draft.workload.name}"], found, draft)
    return found, new


def _placed(comparisons: Comparisons, drafts: Sequence[Draft], place: Place) -> Iterable[Row]:
    """The rows of all objects, each at the service that it belongs to."""
    at: dict[str, str] = {}
    for draft in drafts:
        one = draft.workload
        for item in (one.deployment, one.service, one.autoscaler, one.budget):
            if item is not None:
                at[name_of(item)] = f"services.{one.name}"
    for name, comparison in comparisons.items():
        for row in comparison.rows:
            known = at.get(name)
            yield msgspec.structs.replace(row, file=place.services_file, path=known) if known else row


def _unsaid(rows: Iterable[Row], said: Iterable[Row]) -> Iterator[Row]:
    """``rows`` of the comparison without those about a place that the mapping has spoken of."""
    places = {(row.object, row.field) for row in said if row.field}
    guessed = {(row.object, row.field.rpartition(".")[0]) for row in said if ".resources." in row.field}
    for row in rows:
        is_said = any((row.object, top) in places for top in _tops(row.field))
        if not is_said and not (row.kind == "added" and (row.object, row.field) in guessed):
            yield row


def _tops(field: str) -> Iterable[str]:
    """The place itself and those above it."""
    yield field
    for match in re.finditer(r"[.\[]", field):
        if match.start():
            yield field[: match.start()]
