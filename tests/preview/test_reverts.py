"""A branch that says it reverts something: what of it is so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.preview.changes import read
from pipelines.preview.report import Reverted
from pipelines.preview.reverts import reverted
from pipelines.preview.sentences import revert_words
from tests.loading.repositories import Repository, base_files

SERVICES, TENANT = "environments/production/services.yaml", "tenants/acme.yaml"
FILES = base_files()
SUBJECT = "Give acme more"


def edited(files: Mapping[str, bytes], path: str, before: bytes, after: bytes) -> dict[str, bytes]:
    """``files`` with one place of one of them changed."""
    assert before in files[path]
    return {**files, path: files[path].replace(before, after, 1)}


def told(folder: Path, topic: Mapping[str, bytes], *, says: str = "{merged}") -> tuple[Reverted, ...]:
    """What is told where ``main`` got :data:`MERGED` and the branch holds ``topic`` and ``says`` that it reverts."""
    repository = Repository(folder / "repository.git")
    root = repository.commit(FILES)
    merged = worded(repository, MERGED, root, SUBJECT)
    repository.git("update-ref", "refs/heads/main", merged)
    unmerged = repository.git("rev-parse", "refs/heads/draft")
    named = says.format(merged=merged, root=root, unmerged=unmerged)
    message = f'Revert "{SUBJECT}"\n\nThis reverts commit {named}.'
    repository.git("update-ref", "refs/heads/topic", worded(repository, topic, merged, message))
    return reverted(read(repository.path, "main", "topic"))


def worded(repository: Repository, files: Mapping[str, bytes], parent: str, message: str) -> str:
    """A commit of exactly ``files`` with a message of its own."""
    made = repository.commit(files, parents=(parent,), branch="draft")
    return repository.git("commit-tree", f"{made}^{{tree}}", "-p", parent, "-m", message)


MERGED = edited(edited(FILES, TENANT, b"memory: 4Gi", b"memory: 8Gi"), TENANT, b"pods: 20", b"pods: 30")


def test_what_is_taken_back_whole_is_told_as_that(tmp_path: Path) -> None:
    """With the subject that people know the commit by."""
    (one,) = told(tmp_path, FILES)

    assert (one.subject, one.is_compared, one.taken_back, one.beside) == (SUBJECT, True, one.changes, 0)
    assert revert_words(one).endswith("that it changed, and changes nothing else")


def test_what_stays_and_what_is_changed_beside_is_counted(tmp_path: Path) -> None:
    """A message claims more than the declarations do."""
    half = edited(MERGED, TENANT, b"pods: 30", b"pods: 20")
    (one,) = told(tmp_path, edited(half, TENANT, b"display_name: ", b"display_name: The "))

    assert 0 < one.taken_back < one.changes
    assert one.beside > 0
    assert revert_words(one).startswith(f"takes back {one.taken_back} of {one.changes} fields")


@pytest.mark.parametrize("says", ["0" * 40, "{merged}0", "{unmerged}", "--all"])
def test_a_commit_that_the_base_does_not_have_is_not_believed(tmp_path: Path, says: str) -> None:
    """Nor is what is no commit."""
    assert told(tmp_path, FILES, says=says) == ()


def test_the_first_commit_changed_nothing(tmp_path: Path) -> None:
    """It has no commit before it to compare with."""
    (one,) = told(tmp_path, FILES, says="{root}")

    assert (one.is_compared, one.changes, one.taken_back) == (True, 0, 0)


def test_what_is_no_longer_valid_is_not_compared(tmp_path: Path) -> None:
    """The commit is named, and it is said that nobody compared."""
    repository = Repository(tmp_path / "repository.git")
    broken = repository.commit({**FILES, TENANT: b"nothing: known\n"})
    mended = repository.commit(FILES, parents=(broken,))
    message = f"Back to what was\n\nThis reverts commit {mended}."
    repository.git("update-ref", "refs/heads/topic", worded(repository, MERGED, mended, message))
    (one,) = reverted(read(repository.path, "main", "topic"))

    assert (one.commit, one.is_compared) == (mended, False)
    assert "nobody compared" in revert_words(one)
