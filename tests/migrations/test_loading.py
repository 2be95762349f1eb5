"""Scripts and migrations.yaml as a commit has them, read with everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.errors import DeclarationError
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from policies.loader import load
from policies.yaml_text import MAX_FILE_BYTES
from tests.loading.repositories import BASE, Files, Repository, symlink
from tests.migrations.scripts import folder

ENVIRONMENT = "development"
UP, DOWN = "0001_create_orders.up.sql", "0001_create_orders.down.sql"
SCRIPTS = folder("postgresql", {UP: "CREATE TABLE orders (id bigint)", DOWN: "DROP TABLE orders"})


def files(version: int = 1, scripts: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """The base declarations with one database."""
    base = {path.relative_to(BASE).as_posix(): path.read_bytes() for path in BASE.rglob("*.yaml")}
    declared = (
        f"apiVersion: adx/v1\nkind: Migrations\nenvironment: {ENVIRONMENT}\ndatabases:\n"
        f"  - name: shop\n    engine: postgresql\n    version: {version}\n"
    )
    found = SCRIPTS if scripts is None else scripts
    return {
        **base,
        f"environments/{ENVIRONMENT}/migrations.yaml": declared.encode(),
        **{f"infra/databases/shop/{name}": data for name, data in found.items()},
    }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(tmp_path / "repository")


def problems(repository: Repository, content: Files) -> list[tuple[str, str]]:
    """File and rule of everything that is wrong with a commit."""
    with pytest.raises(DeclarationError) as raised:
        load(GitTree(repository.path, repository.commit(content)))
    return [(one.file, one.rule) for one in raised.value.problems]


def test_scripts_are_part_of_what_is_declared(repository: Repository) -> None:
    """With the version that an environment gives them."""
    found = load(GitTree(repository.path, repository.commit(files())))
    assert found.databases["shop"].newest == 1
    migrations = found.environments[ENVIRONMENT].migrations
    assert migrations is not None
    assert migrations.databases[0].version == 1


def test_a_wrong_script_is_told_at_its_place(repository: Repository) -> None:
    """And nothing is said about versions, which it may have caused."""
    broken = folder("postgresql", {UP: "CREATE TABLE orders (id bigint);\nCOMMIT", DOWN: "DROP TABLE orders"})
    assert problems(repository, files(scripts=broken)) == [(f"infra/databases/shop/{UP}", "migrations.transaction")]


def test_a_version_without_script_is_told_at_its_place(repository: Repository) -> None:
    """In the document that asks for it."""
    found = problems(repository, files(version=2))
    assert found == [(f"environments/{ENVIRONMENT}/migrations.yaml", "migrations.version-exists")]


def test_a_script_that_is_a_link_or_too_large_is_refused(repository: Repository) -> None:
    """It is not read."""
    content = {**files(), f"infra/databases/shop/{DOWN}": symlink("/etc/passwd")}
    assert (f"infra/databases/shop/{DOWN}", "tree.symlink") in problems(repository, content)
    large = {**files(), f"infra/databases/shop/{DOWN}": b"-" * (MAX_FILE_BYTES + 1)}
    assert (f"infra/databases/shop/{DOWN}", "text.size") in problems(repository, large)


def test_a_changed_script_is_read_again(repository: Repository) -> None:
    """A delivery compares what it delivered with what it reads now, scripts included."""
    first = repository.commit(files())
    state = resolve_commit(GitTree(repository.path, first), ENVIRONMENT, None)
    assert f"infra/databases/shop/{UP}" in state.sources
    changed = {**files(), f"infra/databases/shop/{UP}": b"CREATE TABLE orders (id int)"}
    second = repository.commit(changed, parents=(first,))
    with pytest.raises(DeclarationError):
        resolve_commit(GitTree(repository.path, second), ENVIRONMENT, state)


def test_a_change_of_a_tenant_keeps_the_version_of_its_schema(repository: Repository) -> None:
    """The short way gives what the long way gives."""
    first = repository.commit(files())
    state = resolve_commit(GitTree(repository.path, first), ENVIRONMENT, None)
    path = next(name for name in files() if name.startswith("tenants/"))
    text = files()[path].replace(b"display_name: ", b"display_name: New ", 1)
    second = repository.commit({**files(), path: text}, parents=(first,))
    short = resolve_commit(GitTree(repository.path, second), ENVIRONMENT, state)
    full = resolve_commit(GitTree(repository.path, second), ENVIRONMENT, None)
    assert [(unit.id, unit.digest) for unit in short.units] == [(unit.id, unit.digest) for unit in full.units]
    assert any(getattr(unit.inputs, "migrations", None) for unit in short.units)
