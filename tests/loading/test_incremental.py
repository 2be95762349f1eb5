"""Resolving from what changed gives exactly what resolving everything gives, errors included."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import incremental
from policies.change_set import apply, diff
from policies.desired_state import DesiredState
from policies.errors import DeclarationError
from policies.git_tree import GitTree
from policies.incremental import POLICIES, EnvironmentMissing, resolve_commit
from tests.loading.repositories import Repository, base_files

Files = dict[str, bytes]
FLAGS = "environments/development/flags.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty bare repository."""
    return Repository(tmp_path / "repository.git")


def tenant(name: str, **changes: Any) -> bytes:
    """A valid tenant of its own database; ``changes`` replace or (None) remove fields."""
    document = {
        "apiVersion": "adx/v1",
        "kind": "Tenant",
        "name": name,
        "display_name": f"Tenant {name}",
        "owner": "team-accounts",
        "isolation_strategy": "database_per_tenant",
        "database": {"engine": "postgresql", "name": name.replace("-", "_")},
        "resource_limits": {"cpu": "1", "memory": "1Gi", "storage": "1Gi", "pods": 5},
        "environments": ["development"],
        **changes,
    }
    return msgspec.json.encode({key: value for key, value in document.items() if value is not None})


def state_of(repository: Repository, commit: str, previous: DesiredState | None = None) -> Any:
    """The state of development, or the problems."""
    try:
        return resolve_commit(GitTree.open(repository.path, commit), "development", previous)
    except DeclarationError as error:
        return error.problems


def pair(repository: Repository, before: Files, after: Files) -> tuple[Any, Any, DesiredState]:
    """What is found step by step, what is found at once, and the state before."""
    first = repository.commit(before)
    second = repository.commit(after, parents=(first,))
    previous = state_of(repository, first)
    assert isinstance(previous, DesiredState), previous
    tree = GitTree.open(repository.path, second)
    at_once: Any
    try:
        sources = incremental._sources(tree.entries(), incremental.layout_of(tree.entries()))
        at_once = incremental._resolve_fully(tree, "development", previous, sources)
    except DeclarationError as error:
        at_once = error.problems
    return state_of(repository, second, previous), at_once, previous


NAMES = ("ant", "bee", "tenant-ant", "acme")
tenants = st.fixed_dictionaries(
    {},
    optional={
        "environments": st.sampled_from([["development"], ["production"], ["development", "production"], ["nowhere"]]),
        "isolation_strategy": st.sampled_from(["shared_schema", "schema_per_tenant", "database_per_tenant"]),
        "database": st.fixed_dictionaries(
            {"engine": st.sampled_from(["postgresql", "mysql"]), "name": st.sampled_from(["shop", "ant", "bee"])},
            optional={"schema": st.sampled_from(["ant", "acme", "shared"])},
        ),
        "display_name": st.sampled_from(["One", "Two"]),
        "resource_limits": st.just({"cpu": "2", "memory": "2Gi", "storage": "1Gi", "pods": 6}),
        "owner": st.sampled_from(["team-one", "Not A Team"]),
        "overrides": st.sampled_from([{"development": {"flags": {"express-checkout": True}}}, {"nowhere": {}}]),
    },
)
trees = st.dictionaries(st.sampled_from(NAMES), tenants, max_size=4)


def files_of(tree: dict[str, dict[str, Any]]) -> Files:
    """The base with other tenants; ``acme`` is always there, flags name it."""
    files = {path: data for path, data in base_files().items() if not path.startswith("tenants/")}
    files["tenants/acme.yaml"] = base_files()["tenants/acme.yaml"]
    return files | {f"tenants/{name}.yaml": tenant(name, **changes) for name, changes in tree.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(before=trees, after=trees)
def test_step_by_step_gives_what_at_once_gives(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> None:
    """Given any two commits, the first of them valid, both ways end in the same state or the same problems."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder) / "repository.git")
        valid = files_of(before)
        if not isinstance(state_of(repository, repository.commit(valid)), DesiredState):
            valid = base_files()
        step_by_step, at_once, previous = pair(repository, valid, files_of(after))
        assert step_by_step == at_once
        if isinstance(step_by_step, DesiredState):
            assert step_by_step.sources == at_once.sources
            assert apply(diff(previous, step_by_step), previous) == step_by_step


def without_full_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, reading everything is a failure."""

    def refuse(*_: object) -> None:
        pytest.fail("everything was read again")

    monkeypatch.setattr(incremental, "_resolve_fully", refuse)


CHANGES: dict[str, tuple[Files, list[str]]] = {
    "a tenant changed": ({"tenants/bee.yaml": tenant("bee", display_name="Other")}, ["change tenant/bee"]),
    "a tenant added": ({"tenants/cat.yaml": tenant("cat")}, ["add tenant/cat"]),
    "a tenant removed": ({"tenants/bee.yaml": b""}, ["remove tenant/bee"]),
    "a tenant moved to another environment": (
        {"tenants/bee.yaml": tenant("bee", environments=["production"])},
        ["remove tenant/bee"],
    ),
    "a comment changed": ({"tenants/bee.yaml": tenant("bee") + b"\n# note\n"}, []),
    "a tenant of another environment changed": ({"tenants/ox.yaml": tenant("ox", environments=["production"])}, []),
    "a tenant moved to another database": (
        {"tenants/bee.yaml": tenant("bee", database={"engine": "postgresql", "name": "honey"})},
        ["change tenant/bee"],
    ),
    "nothing changed": ({}, []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_can_be_told_from_the_change_is(
    name: str, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given only tenants changed, nothing else is read, and the change set has just them."""
    changed, expected = CHANGES[name]
    files = base_files() | {"tenants/bee.yaml": tenant("bee")}
    first = repository.commit(files)
    after = {path: data for path, data in (files | changed).items() if data}
    second = repository.commit(after, parents=(first,))
    previous = state_of(repository, first)
    without_full_reading(monkeypatch)
    state = state_of(repository, second, previous)
    assert [f"{change.action} {change.unit}" for change in diff(previous, state).changes] == expected
    assert {unit.commit for unit in state.units} <= {first, second}


def test_unchanged_tenants_are_not_parsed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given fifty tenants of which one changes, two versions of one document are read."""
    files = base_files() | {f"tenants/t{number}.yaml": tenant(f"t{number}") for number in range(50)}
    first = repository.commit(files)
    second = repository.commit(files | {"tenants/t7.yaml": tenant("t7", display_name="Seven")}, parents=(first,))
    previous = state_of(repository, first)
    parsed: list[bytes] = []
    original = incremental.spec_of
    monkeypatch.setattr(incremental, "spec_of", lambda kind, data: parsed.append(data) or original(kind, data))
    state_of(repository, second, previous)
    assert len(parsed) == 2


CONFLICTS: dict[str, bytes] = {
    "the same database": tenant("cat", database={"engine": "postgresql", "name": "bee"}),
    "the same schema of a shared database": tenant(
        "cat",
        isolation_strategy="schema_per_tenant",
        database={"engine": "postgresql", "name": "shop", "schema": "acme"},
    ),
    "an environment that does not exist": tenant("cat", environments=["nowhere"]),
    "a fault of form": tenant("cat", owner=None),
    "a fault of YAML": b"a: [",
    "another name than its file's": tenant("dog"),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_tenant_that_cannot_be_is_refused_with_the_problems_of_a_full_reading(
    name: str, repository: Repository
) -> None:
    """Given a new tenant that is at odds with an unchanged one, or with itself, the problems have their places."""
    files = base_files() | {"tenants/bee.yaml": tenant("bee")}
    step_by_step, at_once, _ = pair(repository, files, files | {"tenants/cat.yaml": CONFLICTS[name]})
    assert step_by_step == at_once
    assert {problem.file for problem in step_by_step} == {"tenants/cat.yaml"}
    assert all(problem.line for problem in step_by_step)


def test_removing_a_tenant_that_a_flag_names_is_refused(repository: Repository) -> None:
    """The problem stands in a file that did not change."""
    after = {path: data for path, data in base_files().items() if path != "tenants/acme.yaml"}
    step_by_step, at_once, _ = pair(repository, base_files(), after)
    assert step_by_step == at_once
    assert FLAGS in [problem.file for problem in step_by_step]


def test_a_change_of_an_environment_is_resolved_fully(repository: Repository) -> None:
    """Given a flag switched off, the platform changes."""
    after = base_files() | {FLAGS: base_files()[FLAGS].replace(b"enabled: true", b"enabled: false")}
    step_by_step, at_once, previous = pair(repository, base_files(), after)
    assert step_by_step == at_once
    assert [change.unit for change in diff(previous, step_by_step).changes] == ["platform"]


def test_other_policies_judge_everything_again(repository: Repository) -> None:
    """Given a state that another version of the rules judged, it is not built upon."""
    commit = repository.commit(base_files())
    previous = state_of(repository, commit)
    older = msgspec.structs.replace(previous, units=(), sources={**previous.sources, POLICIES: "older"})
    assert state_of(repository, commit, older) == previous


def test_a_previous_commit_that_is_gone_does_not_matter(repository: Repository, tmp_path: Path) -> None:
    """Given a repository that never had the previous blobs, everything is read."""
    files = base_files() | {"tenants/bee.yaml": tenant("bee")}
    other = Repository(tmp_path / "other.git")
    previous = state_of(other, other.commit(base_files() | {"tenants/bee.yaml": tenant("bee", owner="team-b")}))
    commit = repository.commit(files)
    found, expected = state_of(repository, commit, previous), state_of(repository, commit)
    assert [(unit.id, unit.digest) for unit in found.units] == [(unit.id, unit.digest) for unit in expected.units]


def test_an_environment_that_the_commit_does_not_declare_is_said_to_be_missing(repository: Repository) -> None:
    """With the names of those that it declares."""
    commit = repository.commit(base_files())
    with pytest.raises(EnvironmentMissing, match="no environment staging") as missing:
        resolve_commit(GitTree.open(repository.path, commit), "staging", None)
    assert "development, production" in missing.value.next_step


def test_units_that_do_not_change_keep_the_commit_that_brought_them(repository: Repository) -> None:
    """Given three commits, each unit names the one that changed it last."""
    files = base_files() | {"tenants/bee.yaml": tenant("bee")}
    first = repository.commit(files)
    second = repository.commit(files | {"tenants/bee.yaml": tenant("bee", owner="team-b")}, parents=(first,))
    state = state_of(repository, second, state_of(repository, first))
    commits = {unit.id: unit.commit for unit in state.units}
    assert (commits["tenant/bee"], commits["tenant/acme"], commits["platform"]) == (second, first, first)
    assert state.commit == second


def test_other_rules_or_schemas_than_before_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade that judges or reads anew makes everything be read again; what is no part of either does not."""
    monkeypatch.setattr("policies.incremental.__file__", str(tmp_path / "incremental.py"))
    (tmp_path / "services").mkdir()
    seen = []

    def seen_anew() -> bool:
        seen.append(incremental.policies_digest.__wrapped__())
        return seen[-1] not in seen[:-1]

    assert seen_anew()
    for name in ("services/rules.py", "schema.json", "services/schema.json"):
        (tmp_path / name).write_text("1")
        assert seen_anew(), f"{name} was added"
        (tmp_path / name).write_text("2")
        assert seen_anew(), f"{name} was changed"
    (tmp_path / "schema.json").rename(tmp_path / "spec.json")
    assert seen_anew(), "a file was renamed"
    (tmp_path / "rules.pyc").write_text("3")
    assert not seen_anew()
