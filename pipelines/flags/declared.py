"""The flags of an environment as a repository declares them: from its files, a commit, or its history.

Reads ``flags.yaml`` and ``services.yaml`` of one environment and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pipelines.flags.ofrep import ServedFlags
from policies import git_process
from policies.configuration.flags import wire
from policies.configuration.flags.errors import FlagMissing, TenantMissing
from policies.configuration.flags.evaluator import Evaluator, compiled
from policies.configuration.flags.plan import FlagPlan, plans_of
from policies.configuration.flags.spec import FlagSpec, FlagsSpec, decision_of, normal_decision
from policies.findings import environment_file, suggestion, tenant_file
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree
from policies.loader import load_documents, spec_of
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec
from policies.tree import Tree

LONGEST_HISTORY = 500


class DeclaredFlags(Spec):
    """``services[flag]`` read the flag, by name; ``commit`` is None for files as they are."""

    environment: str
    commit: str | None
    flags: tuple[FlagSpec, ...]
    services: dict[str, tuple[str, ...]]

    def by_name(self) -> dict[str, FlagSpec]:
        """The flags by name; of two with one name the last."""
        return {flag.name: flag for flag in self.flags}

    def flag(self, name: str) -> FlagSpec:
        """The flag ``name``. Raises FlagMissing."""
        found = self.by_name().get(name)
        if found is None:
            fix = suggestion(name, self.by_name(), f"declare it in {environment_file(self.environment, 'flags')}")
            raise FlagMissing(f"{self.environment} has no flag {name}", next_step=fix)
        return found

    def plans(self) -> dict[str, FlagPlan]:
        """What the flags mean. Raises FlagInvalid."""
        return plans_of(self.by_name())

    def evaluator(self) -> Evaluator:
        """What evaluates them. Raises FlagInvalid."""
        return compiled(self.by_name())

    def served(self) -> ServedFlags:
        """What is answered over HTTP. Raises FlagInvalid."""
        return ServedFlags(
            evaluator=self.evaluator(),
            adx_json=_json(wire.adx_document(self.flags)),
            flagd_json=_json(wire.flagd_document(self.environment, self.flags)),
            commit=self.commit,
        )


def declared_flags(folder: Path, environment: str, ref: str | None = None) -> DeclaredFlags:
    """The flags of ``environment`` in the files below ``folder``, or at ``ref``.

    Raises DeclarationError with what is wrong in the two documents, and GitError.
    """
    tree: Tree = FolderTree(folder) if ref is None else GitTree.open(folder, ref)
    paths = [environment_file(environment, document) for document in ("flags", "services")]
    flags, services = load_documents(tree, paths)
    if not isinstance(flags, FlagsSpec) or not isinstance(services, ServicesSpec):  # the path decides the kind
        raise TypeError(f"{type(flags).__name__} and {type(services).__name__} came of {paths}")
    readers: dict[str, tuple[str, ...]] = {}
    for service in sorted(services.services, key=lambda one: one.name):
        for name in service.feature_flags:
            readers[name] = (*readers.get(name, ()), service.name)
    return DeclaredFlags(environment=environment, commit=tree.commit, flags=flags.flags, services=readers)


def override_of(folder: Path, tenant: str, environment: str, flag: str, ref: str | None = None) -> bool | None:
    """What ``tenant`` switches ``flag`` to in ``environment``; None when it does not. Raises TenantMissing."""
    tree: Tree = FolderTree(folder) if ref is None else GitTree.open(folder, ref)
    if tenant_file(tenant) not in tree.entries():
        raise TenantMissing(f"there is no tenant {tenant}", next_step="name one that has a file under tenants/")
    (spec,) = load_documents(tree, [tenant_file(tenant)])
    overrides = spec.overrides.get(environment) if isinstance(spec, TenantSpec) else None
    return overrides.flags.get(flag) if overrides is not None else None


def unchanged_since(folder: Path, declared: DeclaredFlags) -> dict[str, datetime]:
    """Since when each flag has been decided as it is, as far back as LONGEST_HISTORY commits of its file tell.

    A flag whose change is not committed yet is not there. Raises GitError; empty where ``folder`` is no repository.
    """
    wanted = {flag.name: decision_of(normal_decision(flag)) for flag in declared.flags}
    found: dict[str, datetime] = {}
    versions = _versions(folder, environment_file(declared.environment, "flags"), declared.commit or "HEAD")
    blobs = git_process.read_blobs(folder, [oid for _, oid in versions])
    for (at, _), document in zip(versions, blobs, strict=True):
        spec = spec_of("flags", document)
        before = {flag.name: flag for flag in spec.flags} if isinstance(spec, FlagsSpec) else {}
        for name, decision in list(wanted.items()):
            if name in before and decision_of(normal_decision(before[name])) == decision:
                found[name] = at
            else:
                del wanted[name]
        if not wanted:
            break
    return found


def _versions(folder: Path, path: str, start: str) -> list[tuple[datetime, str]]:
    """When each version of ``path`` was committed, and its blob id, newest first; a removal ends the history."""
    arguments = (
        "log",
        f"--max-count={LONGEST_HISTORY}",
        "--first-parent",
        "-m",
        "--format=%ct",
        "--raw",
        "--no-abbrev",
    )
    status, output = git_process.run(
        folder, *arguments, "--no-renames", "--end-of-options", start, "--", path, accepted=(0, 128)
    )
    versions: list[tuple[datetime, str]] = []
    at = datetime.now(UTC)
    for line in output.decode("utf-8", "replace").splitlines() if status == 0 else ():
        if line.startswith(":"):
            oid, change = line.split()[3:5]
            if change == "D":
                break
            versions.append((at, oid))
        elif line.strip():
            at = datetime.fromtimestamp(int(line), UTC)
    return versions


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
