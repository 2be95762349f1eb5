"""Reading environments and commits from git: what is read, and by how many processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.promotion.delivered import commits_of, declared_in, documents_at, moments
from policies.git_tree import GitTree
from tests.loading.repositories import Repository, base_files

SOURCE, TARGET = "development", "production"
FOLDERS = ("environments/development", "environments/production")
CONFIGURATION = "environments/development/configuration.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty one."""
    return Repository(tmp_path / "origin.git")


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The commands of git that were started since, in order."""
    log, wrapper = tmp_path / "started", tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$4" >> {log}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)

    def commands() -> list[str]:
        return log.read_text().split() if log.exists() else []

    monkeypatch.setenv("PATH", str(wrapper.parent), prepend=":")
    return commands


def later_files() -> dict[str, bytes]:
    """The base, where only the source has another page size."""
    files = base_files()
    return files | {CONFIGURATION: files[CONFIGURATION].replace(b"PAGE_SIZE: 24", b"PAGE_SIZE: 48")}


def commit(repository: Repository, subject: str) -> str:
    """A commit of nothing."""
    return repository.git("commit-tree", repository.git("mktree"), "-m", subject)


def test_both_environments_of_a_commit_are_read_by_two_processes(
    repository: Repository, started: Callable[[], list[str]]
) -> None:
    """However many files there are: a list of them and their contents."""
    first = repository.commit(base_files())
    second = repository.commit(later_files(), parents=(first,))
    before = len(started())

    found = list(moments(repository.path, second, SOURCE, TARGET))

    sizes = [[cells["configuration", ("frontend", "PAGE_SIZE")] for cells in both] for both in found]
    assert sizes == [[48, 24], [24, 24]]
    assert started()[before:] == ["rev-list", *["ls-tree", "cat-file"] * 2]


def test_what_a_commit_does_not_have_is_empty(repository: Repository) -> None:
    """One file, or a whole environment; the others are not taken for it."""
    files = {path: data for path, data in later_files().items() if not path.startswith(FOLDERS[1])}
    del files["environments/development/services.yaml"]
    tree = GitTree(repository.path, repository.commit(files), FOLDERS)

    target, source = documents_at(tree, TARGET, SOURCE)

    assert (target.services, target.configuration, target.flags) == ({}, {}, {})
    assert source.services == {}
    assert source.configuration["frontend"]["PAGE_SIZE"] == 48
    assert source.flags


def test_declarations_are_read_at_once_each_as_its_own_kind(
    repository: Repository, started: Callable[[], list[str]]
) -> None:
    """Byte for byte, as lines of them are kept."""
    files = base_files()
    tree = GitTree(repository.path, repository.commit(files))
    before = len(started())

    found = declared_in(tree, TARGET)

    kinds = ("services", "configuration", "flags")
    assert found == {kind: files[f"environments/production/{kind}.yaml"].decode() for kind in kinds}
    assert started()[before:] == ["ls-tree", "cat-file"]


def test_subjects_of_commits_are_read_at_once(repository: Repository, started: Callable[[], list[str]]) -> None:
    """Each commit once, in the order asked for, whatever a subject holds."""
    subjects = ["Raise the version", "über\u2028two \x1c lines", ""]
    ids = [commit(repository, subject) for subject in subjects]
    before = len(started())

    found = commits_of(repository.path, [ids[1], ids[0], ids[1], ids[2]])

    assert [(one.commit, one.subject) for one in found] == [
        (ids[1], subjects[1]),
        (ids[0], subjects[0]),
        (ids[2], ""),
    ]
    assert started()[before:] == ["show"]


def test_for_no_commits_nobody_is_asked(repository: Repository, started: Callable[[], list[str]]) -> None:
    """Given none, git would show the head, which an empty repository does not have."""
    before = len(started())

    assert commits_of(repository.path, []) == ()
    assert started()[before:] == []
