"""The worker's mirror: only what is on the protected branch is delivered, and a rewritten history is noticed."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policies.git_errors import (
    AddressRefused,
    CommitMissing,
    CommitNotOnBranch,
    HistoryRewritten,
    NotNewer,
    RefRefused,
    RepositoryUnreachable,
)
from policies.git_mirror import Mirror
from policies.git_tree import GitTree
from tests.loading.repositories import Repository, base_files


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    """The delivered repository."""
    return Repository(tmp_path / "remote.git")


@pytest.fixture
def mirror(remote: Repository, tmp_path: Path) -> Mirror:
    """An empty mirror of it."""
    return Mirror.open(str(remote.path), tmp_path / "mirror", "main")


def files(number: int) -> dict[str, bytes]:
    """A commit's content that differs by ``number``."""
    return base_files() | {"README.md": str(number).encode()}


def test_fetching_brings_the_head_and_its_objects(remote: Repository, mirror: Mirror) -> None:
    """Given two merges, each is there after its fetch."""
    first = remote.commit(files(1))
    assert mirror.fetch() == first == mirror.head()
    second = remote.commit(files(2), parents=(first,))
    assert mirror.fetch() == second
    assert "tenants/acme.yaml" in GitTree.open(mirror.path, first).entries()
    assert mirror.is_fast_forward(first, second)


def test_a_commit_that_is_not_on_the_protected_branch_is_refused(remote: Repository, mirror: Mirror) -> None:
    """Given a commit of another branch, known or not, it is not delivered."""
    merged = remote.commit(files(1))
    unmerged = remote.commit(files(2), parents=(merged,), branch="feature")
    mirror.fetch()
    mirror.check_contains(merged)
    for commit in (unmerged, "0" * 40):
        assert not mirror.contains(commit)
        with pytest.raises(CommitNotOnBranch, match="is not on main"):
            mirror.check_contains(commit)


def test_a_commit_on_a_branch_that_looks_like_the_protected_one_is_refused(remote: Repository, mirror: Mirror) -> None:
    """A tag or a nested branch of that name does not count."""
    merged = remote.commit(files(1))
    unmerged = remote.commit(files(2), parents=(merged,), branch="feature/main")
    remote.git("tag", "main", unmerged)
    assert mirror.fetch() == merged
    assert not mirror.contains(unmerged)


def test_a_force_push_that_drops_the_delivered_commit_is_noticed(remote: Repository, mirror: Mirror) -> None:
    """Given the branch was rewritten, delivering its new head is refused, and the old commit can still be read."""
    base = remote.commit(files(1))
    delivered = remote.commit(files(2), parents=(base,))
    mirror.fetch()
    rewritten = remote.commit(files(3), parents=(base,))
    remote.git("reflog", "expire", "--expire=now", "--all")
    remote.git("gc", "--quiet", "--prune=now")
    assert mirror.fetch() == rewritten
    assert not mirror.is_fast_forward(delivered, rewritten)
    with pytest.raises(HistoryRewritten, match="was rewritten"):
        mirror.check_fast_forward(delivered, rewritten)
    assert GitTree.open(mirror.path, delivered).read("tenants/acme.yaml")


def test_going_back_is_no_rewriting(remote: Repository, mirror: Mirror) -> None:
    """Given an older commit of the branch, the error says that it is older."""
    older = remote.commit(files(1))
    delivered = remote.commit(files(2), parents=(older,))
    mirror.fetch()
    mirror.check_fast_forward(older, delivered)
    with pytest.raises(NotNewer, match="does not contain"):
        mirror.check_fast_forward(delivered, older)


def test_the_newest_of_several_merges_is_the_one_that_contains_the_others(remote: Repository, mirror: Mirror) -> None:
    """In whatever order they arrived; of two lines of history, the one merged last."""
    first = remote.commit(files(1))
    left = remote.commit(files(2), parents=(first,))
    right = remote.commit(files(3), parents=(first,))
    merged = remote.commit(files(4), parents=(left, right))
    mirror.fetch()
    assert mirror.newest([right, merged, first, left]) == merged
    assert mirror.newest([first, left]) == left
    assert mirror.newest([first]) == first
    assert mirror.newest([left, right]) == mirror.newest([right, left])


def test_a_repository_that_does_not_answer_is_said_to_be_unreachable(tmp_path: Path) -> None:
    """Opening connects to nothing, so that a worker can start; fetching says what is wrong."""
    mirror = Mirror.open(str(tmp_path / "missing.git"), tmp_path / "mirror", "main")
    with pytest.raises(RepositoryUnreachable, match=r"missing\.git"):
        mirror.fetch()


def test_a_branch_that_does_not_exist_is_said_to_be_missing(remote: Repository, tmp_path: Path) -> None:
    """The repository answers, so it is not the network."""
    remote.commit(files(1))
    with pytest.raises(CommitMissing, match="has no branch release"):
        Mirror.open(str(remote.path), tmp_path / "mirror", "release").fetch()


@pytest.mark.parametrize("branch", ["--upload-pack=x", "-x", "a..b", "a b", "a:b", "+main", "a.lock", "a/", ""])
def test_a_branch_that_could_be_an_option_or_a_refspec_is_refused(tmp_path: Path, branch: str) -> None:
    """It never reaches git."""
    with pytest.raises(RefRefused):
        Mirror.open("/srv/x.git", tmp_path / "mirror", branch)


def test_an_address_that_runs_a_program_is_refused(tmp_path: Path) -> None:
    """Before anything is made or run."""
    with pytest.raises(AddressRefused):
        Mirror.open(f"ext::touch {tmp_path}/ran", tmp_path / "mirror", "main")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_a_user_s_configuration_rewrites_into_a_program_does_not_run_it(
    remote: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a rewriting rule, git itself refuses the protocol."""
    remote.commit(files(1))
    config = tmp_path / "config"
    config.write_text(f'[url "ext::touch {tmp_path}/ran %S "]\n\tinsteadOf = {remote.path}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with pytest.raises(RepositoryUnreachable):
        Mirror.open(str(remote.path), tmp_path / "mirror", "main").fetch()
    assert not (tmp_path / "ran").exists()


def test_hooks_in_the_mirror_do_not_run(remote: Repository, mirror: Mirror, tmp_path: Path) -> None:
    """Given somebody put a hook there."""
    hook = mirror.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    remote.commit(files(1))
    mirror.fetch()
    assert not (tmp_path / "ran").exists()


def test_two_addresses_never_share_a_mirror(remote: Repository, tmp_path: Path) -> None:
    """Given another repository under the same home, its history is kept apart."""
    other = Repository(tmp_path / "other.git")
    one, two = (Mirror.open(str(source.path), tmp_path / "mirror", "main") for source in (remote, other))
    assert one.path != two.path


def test_a_lock_left_by_a_killed_git_does_not_block_for_ever(remote: Repository, mirror: Mirror) -> None:
    """Given an old lock on the ref, the next fetch succeeds."""
    first = remote.commit(files(1))
    mirror.fetch()
    lock = mirror.path / f"{mirror.head_ref}.lock"
    lock.write_text("")
    os.utime(lock, (time.time() - 3600,) * 2)
    second = remote.commit(files(2), parents=(first,))
    assert mirror.fetch() == second


def test_many_threads_may_fetch_at_once(remote: Repository, mirror: Mirror) -> None:
    """They take turns and all see the head."""
    head = remote.commit(files(1))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: mirror.fetch(), range(16))) == {head}


def test_opening_an_existing_mirror_again_keeps_what_it_has(remote: Repository, mirror: Mirror, tmp_path: Path) -> None:
    """A worker that starts anew does not fetch everything again."""
    head = remote.commit(files(1))
    mirror.fetch()
    assert Mirror.open(str(remote.path), tmp_path / "mirror", "main").head() == head
