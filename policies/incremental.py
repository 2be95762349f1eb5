"""A commit → the desired state of one environment, reading only what changed since the previous one.

Gives exactly what a full resolution gives, errors included. The previous state
was resolved from declarations that were judged as a whole, so only pairs of
documents one of which has changed can be at odds. Whenever that reasoning does
not hold (no previous state, another version of the policies, a change outside
``tenants/``, anything wrong) everything is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from policies import git_process, rules
from policies.configuration.flags.spec import tenants_of
from policies.declarations import Declarations
from policies.desired_state import DesiredState, resolve, tenant_inputs, tenant_unit_id, unit_of
from policies.errors import AdxError
from policies.git_errors import GitFailed
from policies.git_tree import GitTree
from policies.infrastructure.spec import FleetRules
from policies.loader import assemble, decide, load, spec_of
from policies.ownership import concerns_others, may_claim_the_same, namesakes
from policies.tenancy.spec import TenantSpec
from policies.tree import Entry
from policies.tree_layout import Declared, Layout, layout_of
from policies.yaml_text import MAX_FILE_BYTES

# Among the sources stands, beside the blobs, what judged them: under other policies they must be judged again.
POLICIES = "policies"


class EnvironmentMissing(AdxError):
    """The commit declares no such environment."""

    exit_code = 6


def resolve_commit(tree: GitTree, environment: str, previous: DesiredState | None) -> DesiredState:
    """The desired state of ``environment`` at the commit of ``tree``.

    Raises DeclarationError with every problem, EnvironmentMissing.
    """
    layout = layout_of(tree.entries())
    sources = _sources(tree.entries(), layout)
    if previous is not None and not layout.problems and _is_comparable(environment, previous, sources):
        try:
            state = _Increment(tree, previous, sources, layout).state()
        except GitFailed:
            state = None  # a blob of the previous commit is gone: the long way does not need it
        if state is not None:
            return state
    return _resolve_fully(tree, environment, previous, sources)


def _resolve_fully(
    tree: GitTree, environment: str, previous: DesiredState | None, sources: Mapping[str, str]
) -> DesiredState:
    declarations = load(tree)
    if environment not in declarations.environments:
        known = ", ".join(sorted(declarations.environments))
        raise EnvironmentMissing(
            f"{tree.commit[:12]} declares no environment {environment}", next_step=f"known: {known}"
        )
    return resolve(declarations, environment, tree.commit, previous, sources=sources)


def _sources(entries: Mapping[str, Entry], layout: Layout) -> dict[str, str]:
    read = [*(one.path for one in layout.declared), *layout.scripts]
    return {POLICIES: policies_digest(), **{path: entries[path].oid for path in read}}


@cache
def policies_digest() -> str:
    """SHA-256 (hex) of the schemas, models and rules that this process judges with."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.json")]):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_comparable(environment: str, previous: DesiredState, sources: Mapping[str, str]) -> bool:
    """Whether nothing but tenants can differ."""
    return previous.environment == environment and _not_tenants(previous.sources) == _not_tenants(sources)


def _not_tenants(sources: Mapping[str, str]) -> dict[str, str]:
    return {path: oid for path, oid in sources.items() if not path.startswith("tenants/")}


class _Increment:
    """One step from the previous state; in its methods ``before`` and ``after`` are the changed tenants by name."""

    def __init__(self, tree: GitTree, previous: DesiredState, sources: dict[str, str], layout: Layout) -> None:
        self._tree = tree
        self._previous = previous
        self._sources = sources
        self._declared = {one.path: one for one in layout.declared}

    def state(self) -> DesiredState | None:
        """The new state; None when something is wrong, or might be, that only a full reading can tell."""
        old, new = self._previous.sources, self._sources
        changed = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
        if any(self._tree.entries()[path].size_bytes > MAX_FILE_BYTES for path in changed if path in new):
            return None
        before = self._tenants({path: old[path] for path in changed if path in old})
        after = self._tenants({path: new[path] for path in changed if path in new})
        environments = self._environments()
        if before is None or after is None or environments is None:
            return None
        declarations = Declarations(environments=environments.environments, tenants=after)
        if rules.check_tenants(declarations, after, _nowhere):
            return None
        if not self._is_agreed(declarations, before):
            return None
        return self._replaced(declarations, removed=before.keys() - after.keys())

    def _tenants(self, oids: Mapping[str, str]) -> dict[str, TenantSpec] | None:
        """The tenants in the blobs ``oids`` (by path), by name; None when one of them is not valid."""
        found: dict[str, TenantSpec] = {}
        for path, data in zip(oids, git_process.read_blobs(self._tree.repository, oids.values()), strict=True):
            spec = spec_of("tenant", data)
            if not isinstance(spec, TenantSpec):
                return None
            found[Path(path).stem] = spec
        return found

    def _environments(self) -> Declarations | None:
        declared = [one for one in self._declared.values() if one.kind != "tenant"]
        specs = decide(self._tree, declared)
        return assemble(declared, specs) if len(specs) == len(declared) else None

    def _is_agreed(self, declarations: Declarations, before: Mapping[str, TenantSpec]) -> bool:
        """Whether the changed tenants go together with all others."""
        after = declarations.tenants
        names = before.keys() | after.keys()
        if not any(concerns_others(before.get(name), after.get(name)) for name in names):
            return True
        others = self._tenants({path: self._sources[path] for path in self._concerned(declarations)})
        if others is None:
            return False
        judged = msgspec.structs.replace(declarations, tenants=dict(sorted({**others, **after}.items())))
        return not rules.check(judged, _nowhere)

    def _concerned(self, declarations: Declarations) -> list[str]:
        """Paths of unchanged tenants that flags name, or that may claim what a changed tenant claims."""
        changed = declarations.tenants
        names = {name for tenant in changed.values() for name in namesakes(tenant, declarations.environments)}
        for declared in declarations.environments.values():
            names.update(name for flag in declared.flags.flags for name in tenants_of(flag))
            names.update((declared.environment.rollout.fleet or FleetRules()).canaries)
        others = [one for one in self._declared.values() if one.kind == "tenant" and one.name not in changed]
        return [one.path for one, data in self._read(others) if one.name in names or _may_conflict(changed, data)]

    def _read(self, declared: list[Declared]) -> Iterable[tuple[Declared, bytes]]:
        oids = [self._sources[one.path] for one in declared]
        return zip(declared, git_process.read_blobs(self._tree.repository, oids), strict=True)

    def _replaced(self, declarations: Declarations, removed: Iterable[str]) -> DesiredState:
        environment, commit = self._previous.environment, self._tree.commit
        declared = declarations.environments[environment]
        units = dict(self._previous.by_id())
        for name in removed:
            units.pop(tenant_unit_id(name), None)
        for name, tenant in declarations.tenants.items():
            before = units.pop(tenant_unit_id(name), None)
            if environment in tenant.environments:
                units[tenant_unit_id(name)] = unit_of(
                    tenant_unit_id(name), tenant_inputs(tenant, declared), commit, before
                )
        ordered = tuple(units[id_] for id_ in sorted(units))
        cells = self._previous.cells  # environment.yaml is what it was: whatever else changed is read in full
        return DesiredState(environment=environment, commit=commit, units=ordered, sources=self._sources, cells=cells)


def _may_conflict(changed: Mapping[str, TenantSpec], document: bytes) -> bool:
    return any(may_claim_the_same(tenant, document) for tenant in changed.values())


def _nowhere(_file: str, _path: str) -> tuple[int, int]:
    """Nobody sees these problems: where there are any, everything is read and explained again."""
    return 0, 0
