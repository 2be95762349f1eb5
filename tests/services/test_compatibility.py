"""The whole answer on one environment: needs, issues with their places, order."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.services.compatibility import COMPATIBILITY, Compatibility, compatibility
from pipelines.services.declared import EnvironmentMissing, rows_of
from policies import rules
from policies.errors import DeclarationError
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree
from policies.loader import load
from tests.loading.repositories import Repository, base_files, write_folder

SERVICES = "environments/development/services.yaml"


def edited(*edits: tuple[str, str], file: str = SERVICES) -> dict[str, bytes]:
    """The base with texts replaced that are there exactly once."""
    files = base_files()
    content = files[file].decode()
    for old, new in edits:
        assert content.count(old) == 1, old
        content = content.replace(old, new)
    return {**files, file: content.encode()}


def judged(folder: Path, *edits: tuple[str, str]) -> Compatibility:
    """The answer on the files as they are."""
    return compatibility(FolderTree(write_folder(folder, edited(*edits))), "development")


def lines(found: Compatibility) -> list[tuple[int, str]]:
    """Line and rule of every issue."""
    return [(problem.line, problem.rule) for problem in found.problems]


def test_what_goes_together_has_needs_that_are_met_and_an_order(tmp_path: Path) -> None:
    """A folder has no commit."""
    found = judged(
        tmp_path, ("dependencies: [checkout]", "dependencies: [checkout]\n    dependency_versions: {checkout: ^1.4}")
    )
    assert found.is_compatible
    assert found.problems == ()
    assert [(need.service, need.kind, need.name, need.wanted, need.found, need.is_met) for need in found.needs] == [
        ("frontend", "service", "checkout", "^1.4", "1.4.1", True),
        ("frontend", "flag", "express-checkout", "", "declared", True),
        ("checkout", "service", "store", "", "7.4", True),
    ]
    assert found.stages == (("store",), ("checkout",), ("frontend",))
    assert (found.commit, found.since) == (None, None)


def test_every_issue_is_named_with_its_place(tmp_path: Path) -> None:
    """In the order of lines; and the needs that are not met are those."""
    found = judged(
        tmp_path,
        (
            "dependencies: [checkout]",
            "dependencies: [checkout, gone]\n    dependency_versions: {checkout: ^2}\n    schema_versions: {shop: 3}",
        ),
        ("feature_flags: [express-checkout]", "feature_flags: [express-chekout]"),
        ("dependencies: [store]", "dependencies: [store, frontend]"),
    )
    assert not found.is_compatible
    assert lines(found) == [
        (14, "services.dependency-exists"),
        (15, "services.dependency-version"),
        (16, "migrations.services-fit"),
        (17, "services.flag-exists"),
        (29, "services.dependency-cycle"),
    ]
    assert all(problem.file == SERVICES and problem.column > 1 for problem in found.problems)
    assert [(need.service, need.name, need.found) for need in found.needs if not need.is_met] == [
        ("frontend", "checkout", "1.4.1"),
        ("frontend", "gone", ""),
        ("frontend", "shop", ""),
        ("frontend", "express-chekout", ""),
        ("checkout", "frontend", "1.2.0"),
    ]
    assert found.stages == ()


def test_a_database_that_is_far_enough_is_a_need_that_is_met(tmp_path: Path) -> None:
    """As migrations.yaml declares it; what has no script is for `adx validate` to say."""
    files = edited(("dependencies: [checkout]", "schema_versions: {shop: 2}"))
    files["environments/development/migrations.yaml"] = (
        b"apiVersion: adx/v1\nkind: Migrations\nenvironment: development\n"
        b"databases: [{name: shop, engine: postgresql, version: 3}]\n"
    )
    found = compatibility(FolderTree(write_folder(tmp_path, files)), "development")
    assert found.is_compatible
    (need,) = [need for need in found.needs if need.kind == "database"]
    assert (need.name, need.wanted, need.found, need.is_met) == ("shop", ">=2", "3", True)


def test_what_has_nothing_to_do_with_it_is_left_to_validate(tmp_path: Path) -> None:
    """A moving tag is wrong, and yet the services go together."""
    assert judged(tmp_path, ("version: v1.2.0", "version: stable")).is_compatible


def test_the_judges_are_rules_that_validate_runs() -> None:
    """Otherwise a rule that is renamed would judge no more."""
    assert {rule.id for rule in rules.RULES} >= COMPATIBILITY


def test_a_lowered_version_is_named_where_something_is_compared_with(tmp_path: Path) -> None:
    """At the field that says the version; a service that is new is not lower."""
    repository = Repository(tmp_path / "repository.git")
    old = repository.commit(base_files())
    new = repository.commit(
        edited(
            ("version: v1.2.0", "version: v1.1.9"), ("version: v1.4.1", "version: edge-1\n    semantic_version: 1.4.0")
        )
    )
    before, after = GitTree(repository.path, old), GitTree(repository.path, new)

    found = compatibility(after, "development", before)

    assert [(problem.line, problem.path, problem.what) for problem in found.problems] == [
        (9, "services[0].version", "frontend would be lowered from 1.2.0 to 1.1.9 without saying so"),
        (22, "services[1].semantic_version", "checkout would be lowered from 1.4.1 to 1.4.0 without saying so"),
    ]
    assert (found.commit, found.since) == (new, old)
    assert compatibility(after, "development").is_compatible
    assert compatibility(before, "development", after).is_compatible


def test_an_environment_that_was_not_declared_before_has_nothing_to_compare_with(tmp_path: Path) -> None:
    """It is new."""
    files = base_files()
    rest = {path: content for path, content in files.items() if "/development/" not in path}
    repository = Repository(tmp_path / "repository.git")
    before = GitTree(repository.path, repository.commit(rest))
    after = GitTree(repository.path, repository.commit(files))
    assert compatibility(after, "development", before).is_compatible


def test_an_unknown_environment_is_said_with_the_nearest(tmp_path: Path) -> None:
    """Of those that there are."""
    tree = FolderTree(write_folder(tmp_path, base_files()))
    with pytest.raises(EnvironmentMissing) as refused:
        compatibility(tree, "developmnt")
    assert "write development" in refused.value.next_step
    with pytest.raises(EnvironmentMissing):
        rows_of(tree, "developmnt")


def test_documents_that_cannot_be_read_are_told_as_such(tmp_path: Path) -> None:
    """With their problems, not as an answer about compatibility."""
    files = {**base_files(), SERVICES: b"a: ["}
    with pytest.raises(DeclarationError):
        compatibility(FolderTree(write_folder(tmp_path, files)), "development")


@pytest.mark.parametrize("name", ["services-more.yaml", "services.yml", "services/frontend.yaml"])
def test_a_second_file_cannot_define_services(tmp_path: Path, name: str) -> None:
    """A service has one place in an environment: nobody has to wonder which of two files counts."""
    files = base_files()
    files[f"environments/development/{name}"] = files[SERVICES]
    with pytest.raises(DeclarationError) as refused:
        load(FolderTree(write_folder(tmp_path, files)))
    assert [problem.rule for problem in refused.value.problems] == ["tree.unknown-file"]
