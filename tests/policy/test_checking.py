"""The whole way: rendered objects in, findings at lines of declarations out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from infra.render import render_unit
from policies.checkov.checking import check_manifests
from policies.checkov.context import EnvironmentManifests, delivered_replicas
from policies.checkov.documents import problems_of, read_policies
from policies.checkov.policy_set import PolicySet, load_policies
from policies.desired_state import DesiredState, resolve
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree
from policies.loader import load
from policies.tree import Tree
from tests.loading.repositories import Repository, base_files
from tests.policy.objects import COMMIT, given, policies, waiver

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 24)


def manifests(tree: Tree, before: DesiredState | None = None) -> list[EnvironmentManifests]:
    """Everything that the declarations of ``tree`` render to."""
    declarations = load(tree)
    states = {name: resolve(declarations, name, COMMIT) for name in declarations.environments}
    return [
        EnvironmentManifests(
            environment=name,
            region=declarations.environments[name].environment.region,
            units={unit.id: tuple(render_unit(unit)) for unit in state.units},
            is_whole=True,
            delivered_replicas=delivered_replicas(before if before and before.environment == name else state),
        )
        for name, state in states.items()
    ]


def test_the_sample_repository_has_no_blocking_finding(checkov_python: Path) -> None:
    """Given the samples with their own policies, nothing blocks, no waiver is idle, every object was judged."""
    data = (ROOT / "policies" / "policies.yaml").read_bytes()
    spec = read_policies(data)
    assert spec is not None, problems_of(data)
    tree = FolderTree(ROOT)
    environments = manifests(tree)
    result = check_manifests(
        environments, PolicySet(commit=COMMIT, spec=spec), tree, checkov_python=checkov_python, today=TODAY
    )
    assert [found for found in result.findings if found.is_blocking] == []
    assert result.unused_waivers == ()
    assert result.checked_objects == sum(len(bodies) for each in environments for bodies in each.units.values())
    assert result.findings, "the load generator has no probes, which is worth a warning"
    assert all(found.line > 0 for found in result.findings)


def test_a_finding_stands_at_the_line_of_its_declaration(tmp_path: Path, checkov_python: Path) -> None:
    """Given a step from 2 to 9 replicas where 50 % are allowed, the line of the new number is named."""
    repository = Repository(tmp_path / "repository.git")
    files = base_files()
    text = b"apiVersion: adx/v1\nkind: Policies\nenvironments: {production: {replicas: {max_change_percent: 50}}}\n"
    files["policies/policies.yaml"] = text
    base = repository.commit(files)
    services = "environments/production/services.yaml"
    files[services] = files[services].replace(b"replicas: 2\n", b"replicas: 9\n")
    head = repository.commit(files, parents=(base,))
    before = resolve(load(GitTree(repository.path, base)), "production", base)
    tree = GitTree(repository.path, head)
    result = check_manifests(
        manifests(tree, before),
        load_policies(repository.path, base),
        tree,
        checkov_python=checkov_python,
        today=TODAY,
    )
    (found,) = [one for one in result.findings if one.check == "ADX_K8S_13"]
    assert (found.file, found.path, found.unit) == (services, "services[0].replicas", "service/frontend")
    assert files[services].decode().splitlines()[found.line - 1] == "    replicas: 9"
    assert (found.detail, found.is_blocking) == ("from 2 to 9 replicas, steps of 50 % are allowed", True)


def test_nothing_to_check_starts_nothing(tmp_path: Path) -> None:
    """Given no changed unit, no checkov is needed; idle waivers are still told where the whole is known to be empty."""
    unused = waiver(environment="test")
    result = check_manifests(
        [given({}, is_whole=True)],
        policies(waivers=(unused,)),
        FolderTree(tmp_path),
        checkov_python=tmp_path / "nothing",
        today=TODAY,
    )
    assert (result.findings, result.checked_objects, result.checkov_version) == ((), 0, "")
    assert result.unused_waivers == (unused,)


def test_delivered_replicas_are_known_for_services_alone() -> None:
    """The fewest where an autoscaler decides; nothing where nothing is delivered."""
    state = resolve(load(FolderTree(ROOT)), "production", COMMIT)
    found = delivered_replicas(state)
    assert found["service/frontend"] == 3
    assert {unit.partition("/")[0] for unit in found} == {"service"}
    assert delivered_replicas(None) == {}
