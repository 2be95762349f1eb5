"""Commit statuses: written once, read newest first."""

from __future__ import annotations

import pytest

from tests.hosting.conftest import HEAD
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import CommitStatus
from workflows.clients.hosting.errors import HostingRefused
from workflows.clients.hosting.github import GitHub

PENDING = CommitStatus(context="adx/staging", state="pending", description="waits", target_url="https://adx.example/1")
DONE = CommitStatus(context="adx/staging", state="success", description="delivered")


def test_a_status_is_written_and_read_back(hosting: GitHub) -> None:
    """As it was given."""
    hosting.set_status(HEAD, PENDING)

    assert hosting.statuses(HEAD) == (PENDING,)


def test_an_equal_status_is_not_written_again(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub keeps only a thousand of a context."""
    hosting.set_status(HEAD, PENDING)
    hosting.set_status(HEAD, PENDING)

    assert len(server.requests("POST", "/statuses/")) == 1


def test_what_was_so_before_and_changed_is_written_again(server: GitHubServer, hosting: GitHub) -> None:
    """Only the newest counts."""
    for status in (PENDING, DONE, PENDING):
        hosting.set_status(HEAD, status)

    assert hosting.statuses(HEAD) == (PENDING,)
    assert len(server.state.statuses) == 3


def test_contexts_are_told_apart(hosting: GitHub) -> None:
    """The newest of each, newest first."""
    other = CommitStatus(context="adx/production", state="failure", description="restored")
    for status in (PENDING, other, DONE):
        hosting.set_status(HEAD, status)

    assert hosting.statuses(HEAD) == (DONE, other)


def test_a_long_description_is_cut_and_still_found_equal(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub refuses more than 140 characters."""
    status = CommitStatus(context="adx", state="error", description="é" * 141)
    hosting.set_status(HEAD, status)
    hosting.set_status(HEAD, status)

    (found,) = hosting.statuses(HEAD)
    assert found.description == "é" * 139 + "…"
    assert len(server.state.statuses) == 1


def test_a_description_that_just_fits_is_kept(hosting: GitHub) -> None:
    """140 characters."""
    hosting.set_status(HEAD, CommitStatus(context="adx", state="error", description="x" * 140))

    assert hosting.statuses(HEAD)[0].description == "x" * 140


def test_a_status_beyond_the_first_page_is_found(server: GitHubServer, hosting: GitHub) -> None:
    """Other tools write many."""
    hosting.set_status(HEAD, PENDING)
    for number in range(150):
        server.state.statuses.append({"sha": HEAD, "context": f"ci/{number}", "state": "success"})

    hosting.set_status(HEAD, PENDING)

    assert len(hosting.statuses(HEAD)) == 151
    assert len(server.requests("POST", "/statuses/")) == 1


@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_writes_no_second_status(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """It looks before it tries again."""
    server.lose_next("POST", "/statuses/", by=by)

    hosting.set_status(HEAD, DONE)

    assert len(server.state.statuses) == 1


def test_an_unknown_commit_is_told(server: GitHubServer, hosting: GitHub) -> None:
    """Not pushed to this repository."""
    server.state.unknown_commits.add(HEAD)

    with pytest.raises(HostingRefused, match="No commit found for SHA"):
        hosting.set_status(HEAD, DONE)
