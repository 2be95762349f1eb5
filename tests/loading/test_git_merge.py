"""What a branch would leave behind is known without merging it anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.git_errors import NotMergeable, UnrelatedHistory
from policies.git_merge import merged_tree
from tests.loading.repositories import Repository

LINES = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty bare repository."""
    return Repository(tmp_path / "repository.git")


def test_a_branch_that_is_ahead_is_its_own_merge_result(repository: Repository) -> None:
    """No merge commit is needed, so the tree is the branch's own and carries its commit."""
    base = repository.commit({"tenants/a.yaml": b"a: 1\n"})
    head = repository.commit({"tenants/a.yaml": b"a: 2\n"}, parents=(base,), branch="topic")

    assert merged_tree(repository.path, base, head).commit == head


def test_a_branch_that_is_merged_already_leaves_the_base_as_it_is(repository: Repository) -> None:
    """The base contains it: nothing would change."""
    head = repository.commit({"tenants/a.yaml": b"a: 1\n"})
    base = repository.commit({"tenants/a.yaml": b"a: 2\n"}, parents=(head,))

    assert merged_tree(repository.path, base, head).commit == base


def test_what_the_base_got_meanwhile_is_kept(repository: Repository) -> None:
    """Both sides' changes are in the result; no ref and no branch was moved for it."""
    root = repository.commit({"tenants/a.yaml": LINES, "tenants/b.yaml": b"b: 1\n"})
    base = repository.commit({"tenants/a.yaml": LINES, "tenants/b.yaml": b"b: 2\n"}, parents=(root,))
    changed = LINES.replace(b"line 7\n", b"line seven\n")
    head = repository.commit({"tenants/a.yaml": changed, "tenants/b.yaml": b"b: 1\n"}, parents=(root,), branch="topic")
    refs = repository.git("for-each-ref")

    tree = merged_tree(repository.path, base, head)

    assert tree.read("tenants/a.yaml") == changed
    assert tree.read("tenants/b.yaml") == b"b: 2\n"
    assert repository.git("for-each-ref") == refs
    assert merged_tree(repository.path, base, head).commit == tree.commit


def test_a_branch_that_conflicts_is_refused_naming_the_files(repository: Repository) -> None:
    """The reviewer learns which files to settle."""
    root = repository.commit({"tenants/a.yaml": b"a: 1\n", "tenants/b.yaml": b"b: 1\n"})
    base = repository.commit({"tenants/a.yaml": b"a: 2\n", "tenants/b.yaml": b"b: 1\n"}, parents=(root,))
    head = repository.commit(
        {"tenants/a.yaml": b"a: 3\n", "tenants/b.yaml": b"b: 1\n"}, parents=(root,), branch="topic"
    )

    with pytest.raises(NotMergeable) as refused:
        merged_tree(repository.path, base, head)

    assert "tenants/a.yaml" in str(refused.value)
    assert "tenants/b.yaml" not in str(refused.value)
    assert "settle the conflicts" in refused.value.next_step


def test_a_branch_of_another_history_is_refused(repository: Repository) -> None:
    """Merging it would bring a whole other repository."""
    base = repository.commit({"tenants/a.yaml": b"a: 1\n"})
    head = repository.commit({"tenants/z.yaml": b"z: 1\n"}, branch="elsewhere")

    with pytest.raises(UnrelatedHistory, match="no commit in common"):
        merged_tree(repository.path, base, head)


def test_a_shallow_clone_is_told_to_fetch_more(repository: Repository, tmp_path: Path) -> None:
    """It looks like another history, but the mend is another one."""
    root = repository.commit({"tenants/a.yaml": b"a: 1\n"})
    repository.commit({"tenants/a.yaml": b"a: 2\n"}, parents=(root,))
    repository.commit({"tenants/a.yaml": b"a: 1\n", "tenants/b.yaml": b"b: 1\n"}, parents=(root,), branch="topic")
    shallow = tmp_path / "shallow.git"
    repository.git(
        "clone", "--quiet", "--bare", "--depth=1", "--no-single-branch", repository.path.as_uri(), str(shallow)
    )

    with pytest.raises(UnrelatedHistory, match="too shallow") as refused:
        merged_tree(shallow, repository.git("rev-parse", "main"), repository.git("rev-parse", "topic"))

    assert "unshallow" in refused.value.next_step
