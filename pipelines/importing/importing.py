"""The whole import: what the repository declares already, the namespace, the proposal, whether it is valid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.importing.checking import problems_with
from pipelines.importing.documents import Existing
from pipelines.importing.model import Contents, Imported, Row
from pipelines.importing.proposal import DELIVERED, Proposal, danger_of, in_order
from pipelines.importing.propose import propose
from pipelines.importing.propose_tenant import propose_tenant
from pipelines.importing.reading import NamespaceReader
from pipelines.importing.services import Place
from policies.configuration.spec import FlagsSpec
from policies.declarations import EnvironmentDeclarations
from policies.errors import AdxError
from policies.folder_tree import FolderTree
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load_documents

_KINDS = ("environment", "services", "configuration", "flags", "migrations")


class EnvironmentUnknown(AdxError):
    """A tenant lives in an environment, and the repository has none of that name."""

    exit_code = 6


class NamespaceDeclared(AdxError):
    """--into would name another namespace than the one that the repository declares."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: a namespace, as the platform of ``environment`` or, with ``tenant``, as that tenant's.

    ``into`` is the namespace that a new environment is to have; ``folder`` the repository as it is; ``written`` the
    folder that the files are to be written into, if any: that one has to be valid then.
    """

    namespace: str
    environment: str
    folder: Path
    tenant: str | None = None
    owner: str | None = None
    into: str | None = None
    written: Path | None = None


async def imported(wish: Wish, reader: NamespaceReader) -> Imported:
    """Read and propose. Raises the errors of the cluster's client and of declarations, and those above."""
    specs = _declared(wish)
    existing, place = _existing(specs), Place(wish.environment, wish.owner)
    if wish.tenant is not None and existing.environment is None:
        raise EnvironmentUnknown(
            f"the repository declares no environment {wish.environment}, in which the tenant {wish.tenant} would live",
            next_step="import the namespace of its platform first, and write that into the repository",
        )
    if wish.into is not None and existing.environment is not None:
        raise NamespaceDeclared(
            f"{wish.environment} has its namespace: {existing.environment.namespace}",
            next_step="leave --into out, or name an environment that the repository does not have",
        )
    contents = await reader.read(wish.namespace)
    if wish.tenant is not None:
        proposal = propose_tenant(contents, wish.tenant, place, _all_of(wish, specs))
    else:
        proposal = propose(contents, place, existing, wish.into)
    rows = proposal.rows
    is_beside = proposal.target_namespace != wish.namespace
    there = await reader.namespace(proposal.target_namespace) if is_beside else None
    refused = danger_of(there, wish.environment) if there is not None else None
    if refused is not None:
        rows = tuple(in_order([*rows, refused]))
    return Imported(
        namespace=wish.namespace,
        environment=wish.environment,
        tenant=wish.tenant,
        target_namespace=proposal.target_namespace,
        files=proposal.files,
        rows=rows,
        objects=sum(map(len, contents.objects.values())) + len(contents.others),
        problems=problems_with(wish.folder if wish.written is None else wish.written, proposal.files),
        next_steps=next_steps(wish, proposal, rows, contents),
    )


def next_steps(wish: Wish, proposal: Proposal, rows: tuple[Row, ...], contents: Contents) -> tuple[str, ...]:
    """What a person does now, in order."""
    steps = ["read the files: every comment in them is a decision of yours", "`adx validate`, then commit"]
    secrets = sum(row.kind == "secret" for row in rows)
    if secrets:
        steps.append(f"put {secrets} secret(s) into Vault where the references lead; they are no variables any more")
    if proposal.in_clear:
        steps.append(f"look through the {proposal.in_clear} value(s) that were taken over in clear: is any a secret?")
    target = proposal.target_namespace
    if wish.tenant is not None:
        steps.append(f"`adx preview` shows what a merge would make in {target}; what runs there is left alone")
    else:
        steps.append("`adx preview` shows what a merge would make")
    dangers = [row for row in rows if row.kind == "danger"]
    if any(row.what != DELIVERED for row in dangers):
        steps.append(f"not yet a delivery: it is refused, as {target} is not {wish.environment}'s (docs/importing.md)")
    elif dangers:
        steps.append(f"not yet a delivery: {contents.namespace} is ADX's already, from another declaration")
    elif wish.tenant is None:
        steps += [
            f"merge: ADX makes everything anew in {target}; {contents.namespace} runs on, untouched",
            f"lead callers to {target}, and only then delete {contents.namespace} yourself",
        ]
    return tuple(steps)


def _existing(specs: dict[str, object]) -> Existing:
    environment, flags = specs.get("environment"), specs.get("flags")
    return Existing(
        environment if isinstance(environment, EnvironmentSpec) else None,
        flags if isinstance(flags, FlagsSpec) else None,
    )


def _all_of(wish: Wish, specs: dict[str, object]) -> EnvironmentDeclarations:
    """The documents of the environment as one; raises EnvironmentUnknown when one is missing that all have."""
    needed = [field.name for field in msgspec.structs.fields(EnvironmentDeclarations) if field.required]
    if missing := [kind for kind in needed if kind not in specs]:
        raise EnvironmentUnknown(
            f"environments/{wish.environment}/{missing[0]}.yaml is not there, which every environment has",
            next_step="write it, until `adx validate` is content, and import the tenant then",
        )
    return EnvironmentDeclarations(**specs)  # type: ignore[arg-type] # the loader has decoded each as its kind


def _declared(wish: Wish) -> dict[str, object]:
    """The documents that the repository has of the environment, by kind; a tenant needs them all."""
    tree = FolderTree(wish.folder)
    paths = {kind: f"environments/{wish.environment}/{kind}.yaml" for kind in _KINDS}
    there = {kind: path for kind, path in paths.items() if path in tree.entries()}
    wanted = {kind: path for kind, path in there.items() if wish.tenant is not None or kind in {"environment", "flags"}}
    return dict(zip(wanted, load_documents(tree, list(wanted.values())), strict=True))
