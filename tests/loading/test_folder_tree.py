"""Declarations of a folder: nothing outside it is read, and everything in it is looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policies.errors import DeclarationError
from policies.folder_tree import FolderTree, FolderUnreadable
from policies.git_tree import GitTree
from policies.loader import load
from tests.loading.repositories import Repository, base_files, write_folder

SECRET = b"name: outside\npassword: hunter2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid folder."""
    return write_folder(tmp_path / "folder", base_files())


def refused(folder: Path) -> dict[str, str]:
    """The rule that each refused file breaks."""
    with pytest.raises(DeclarationError) as error:
        load(FolderTree(folder))
    assert "hunter2" not in repr(error.value.problems)
    return {problem.file: problem.rule for problem in error.value.problems}


def test_a_folder_gives_what_the_same_commit_gives(folder: Path, tmp_path: Path) -> None:
    """Given the same files in both, the same paths and the same declarations."""
    repository = Repository(tmp_path / "repository.git")
    repository.commit(base_files())
    tree, commit = FolderTree(folder), GitTree.open(repository.path, "main")
    assert list(tree.entries()) == list(commit.entries())
    assert load(tree) == load(commit)
    assert tree.commit is None


def test_a_symbolic_link_out_of_the_tree_is_refused_and_not_read(folder: Path, tmp_path: Path) -> None:
    """A tenant that is a link to somebody's secrets."""
    (tmp_path / "outside.yaml").write_bytes(SECRET)
    (folder / "tenants/link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert refused(folder) == {"tenants/link.yaml": "tree.symlink"}


def test_a_symbolic_link_inside_the_tree_is_refused_too(folder: Path) -> None:
    """A commit would hold the link, not what it leads to."""
    (folder / "tenants/link.yaml").symlink_to("acme.yaml")
    assert refused(folder) == {"tenants/link.yaml": "tree.symlink"}


def test_a_symlinked_parent_is_refused_and_not_entered(folder: Path, tmp_path: Path) -> None:
    """Given the folder of all tenants is a link, nothing below it is seen."""
    (folder / "tenants").rename(tmp_path / "moved")
    (tmp_path / "moved/outside.yaml").write_bytes(SECRET)
    (folder / "tenants").symlink_to(tmp_path / "moved")
    assert refused(folder)["tenants"] == "tree.symlink"
    assert not any(path.startswith("tenants/") for path in FolderTree(folder).entries())


def test_a_parent_that_becomes_a_link_after_it_was_listed_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """Given somebody swaps the folder between listing and reading, the reading fails."""
    tree = FolderTree(folder)
    tree.entries()
    (folder / "tenants").rename(tmp_path / "moved")
    (tmp_path / "moved/acme.yaml").write_bytes(SECRET)
    (folder / "tenants").symlink_to(tmp_path / "moved")
    with pytest.raises(FolderUnreadable, match="tenants cannot be read"):
        tree.read("tenants/acme.yaml")


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    """Nobody writes into it, so reading it would never end."""
    os.mkfifo(folder / "tenants/pipe.yaml")
    assert refused(folder) == {"tenants/pipe.yaml": "tree.special-file"}


def test_editor_backups_of_a_checkout_are_reported_as_unknown_files(folder: Path) -> None:
    """Untracked junk is not silently passed over."""
    write_folder(folder, {"tenants/acme.yaml~": b"x", "environments/production/.flags.yaml.swp": b"x"})
    assert set(refused(folder).values()) == {"tree.unknown-file"}


def test_a_very_deep_folder_is_refused_and_not_descended(folder: Path) -> None:
    """Folders below folders without end."""
    deep = "/".join(["d"] * 200)
    write_folder(folder, {f"tenants/{deep}/x.yaml": b"x"})
    assert len(refused(folder)) == 1


def test_what_is_no_folder_is_said_to_be_none(tmp_path: Path) -> None:
    """A message, not a traceback."""
    with pytest.raises(FolderUnreadable, match="is not a folder"):
        FolderTree(tmp_path / "missing")


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """Given a file vanishes after it was listed."""
    tree = FolderTree(folder)
    tree.entries()
    (folder / "tenants/acme.yaml").unlink()
    with pytest.raises(FolderUnreadable, match=r"acme\.yaml cannot be read"):
        load(tree)
