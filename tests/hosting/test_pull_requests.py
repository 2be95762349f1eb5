"""Pull requests: as they are, of a commit, who approves, opening one."""

from __future__ import annotations

import json
import threading

import pytest

from tests.hosting.conftest import HEAD, LOGIN, NUMBER
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import Approval
from workflows.clients.hosting.errors import HostingNotFound, HostingRefused
from workflows.clients.hosting.github import GitHub

MERGE = "c3" * 20
OTHER = "b2" * 20
BRANCH = "adx/revert-3f2a"


def test_an_open_pull_request_has_no_merge_commit(hosting: GitHub) -> None:
    """GitHub names one that it only tried."""
    found = hosting.pull_request(NUMBER)

    assert (found.number, found.head, found.head_ref, found.base_ref) == (NUMBER, HEAD, "change-5", "main")
    assert (found.is_merged, found.merge_commit, found.is_from_fork) == (False, "", False)
    assert found.author == "ana"
    assert found.url.endswith("/pull/5")


def test_the_pull_request_of_a_merge_commit_is_found(server: GitHubServer, hosting: GitHub) -> None:
    """With the commit that is on the branch now."""
    server.add_pull_request(6, OTHER)
    server.merge(6, MERGE)

    (found,) = hosting.pull_requests_of(MERGE)

    assert (found.number, found.is_merged, found.merge_commit) == (6, True, MERGE)


def test_a_commit_of_no_pull_request_has_none(hosting: GitHub) -> None:
    """Pushed directly."""
    assert hosting.pull_requests_of(OTHER) == ()


@pytest.mark.parametrize("commit", ["main", "../../../user", "A1" * 20, HEAD[:12], ""])
def test_what_is_no_full_commit_id_is_refused_before_anything_is_sent(
    server: GitHubServer, hosting: GitHub, commit: str
) -> None:
    """It becomes part of the address."""
    with pytest.raises(HostingRefused, match="no full commit id"):
        hosting.pull_requests_of(commit)

    assert server.seen == []


def test_a_fork_is_told_apart_even_once_it_is_deleted(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub says null for its repository then."""
    server.add_pull_request(6, OTHER, is_from_fork=True)
    assert hosting.pull_request(6).is_from_fork

    server.state.pulls[6]["head"]["repo"] = None

    assert hosting.pull_request(6).is_from_fork


def test_titles_and_branches_are_passed_on_untouched(server: GitHubServer, hosting: GitHub) -> None:
    """They are data, however they look."""
    title, branch = "$(rm -rf /) <!-- adx:x --> \u202e\x1b[31m", "a/$(id)&head=x"
    server.add_pull_request(6, OTHER, head_ref=branch, title=title)

    found = hosting.pull_request(6)

    assert (found.title, found.head_ref) == (title, branch)


def test_an_account_that_was_deleted_leaves_an_empty_author(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub says null."""
    server.state.pulls[NUMBER]["user"] = None

    assert hosting.pull_request(NUMBER).author == ""


def test_a_missing_pull_request_is_told_with_call_and_repository(hosting: GitHub) -> None:
    """So that a person finds what is wrong."""
    with pytest.raises(HostingNotFound, match=r"GET pulls/404 of acme/platform: 404 Not Found") as caught:
        hosting.pull_request(404)

    assert "GITHUB_REPOSITORY" in caught.value.next_step


def test_the_latest_decision_of_each_reviewer_counts(server: GitHubServer, hosting: GitHub) -> None:
    """Approved and then refused is refused; refused and then approved is approved."""
    server.review(NUMBER, "ben", "APPROVED", HEAD)
    server.review(NUMBER, "cleo", "CHANGES_REQUESTED", HEAD)
    server.review(NUMBER, "ben", "CHANGES_REQUESTED", HEAD)
    server.review(NUMBER, "cleo", "APPROVED", HEAD)

    assert hosting.approvals(NUMBER) == (Approval(by="cleo", commit=HEAD, is_current=True),)


def test_a_comment_does_not_take_an_approval_back(server: GitHubServer, hosting: GitHub) -> None:
    """Nor does a review that is not submitted yet."""
    server.review(NUMBER, "ben", "APPROVED", HEAD)
    server.review(NUMBER, "ben", "COMMENTED", HEAD)
    server.review(NUMBER, "ben", "PENDING", HEAD)

    assert [approval.by for approval in hosting.approvals(NUMBER)] == ["ben"]


def test_a_dismissed_approval_is_none_and_revives_no_older_one(server: GitHubServer, hosting: GitHub) -> None:
    """Dismissing says: not good enough any more."""
    server.review(NUMBER, "ben", "APPROVED", OTHER)
    server.dismiss(server.review(NUMBER, "ben", "APPROVED", HEAD))

    assert hosting.approvals(NUMBER) == ()


def test_an_approval_of_an_earlier_head_is_not_current(server: GitHubServer, hosting: GitHub) -> None:
    """What was pushed later was seen by nobody."""
    server.review(NUMBER, "ben", "APPROVED", HEAD)
    server.push(NUMBER, OTHER)
    server.review(NUMBER, "cleo", "APPROVED", OTHER)

    assert [(one.by, one.commit, one.is_current) for one in hosting.approvals(NUMBER)] == [
        ("ben", HEAD, False),
        ("cleo", OTHER, True),
    ]


def test_the_approval_of_a_deleted_account_is_nobodys(server: GitHubServer, hosting: GitHub) -> None:
    """There is no name to compare with the declared approvers."""
    server.review(NUMBER, None, "APPROVED", HEAD)

    assert hosting.approvals(NUMBER) == ()


def test_approvals_beyond_the_first_page_count(server: GitHubServer, hosting: GitHub) -> None:
    """A long discussion comes first."""
    for _ in range(120):
        server.review(NUMBER, "ben", "COMMENTED", HEAD)
    server.review(NUMBER, "cleo", "APPROVED", HEAD)

    assert [approval.by for approval in hosting.approvals(NUMBER)] == ["cleo"]
    assert len(server.requests("GET", "/reviews")) == 2


def opened(hosting: GitHub, branch: str = BRANCH) -> int:
    found = hosting.open_pull_request(head_branch=branch, base_branch="main", title="Revert it", body="It failed.")
    return found.number


@pytest.fixture
def branches(server: GitHubServer) -> None:
    server.add_branch("main", HEAD)
    server.add_branch(BRANCH, OTHER)


@pytest.mark.usefixtures("branches")
def test_a_pull_request_is_opened_once(server: GitHubServer, hosting: GitHub) -> None:
    """The second time it is the same."""
    first = hosting.open_pull_request(head_branch=BRANCH, base_branch="main", title="Revert it", body="It failed.")

    assert (first.head, first.head_ref, first.base_ref, first.title) == (OTHER, BRANCH, "main", "Revert it")
    assert first.author == LOGIN
    assert server.state.pulls[first.number]["body"] == "It failed."
    assert opened(hosting) == first.number
    assert len(server.requests("POST", "/pulls")) == 1


@pytest.mark.usefixtures("branches")
def test_a_fork_with_the_same_branch_name_is_not_ours(server: GitHubServer, hosting: GitHub) -> None:
    """Anybody may call a branch so."""
    server.add_pull_request(6, OTHER, head_ref=BRANCH, is_from_fork=True)

    assert opened(hosting) != 6


@pytest.mark.usefixtures("branches")
def test_an_answer_to_another_question_is_not_taken(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub lists every open pull request when it does not understand the branch asked for."""
    server.add_pull_request(6, OTHER, head_ref=BRANCH, is_from_fork=True)
    everything = json.dumps([server.state.pulls[6], server.state.pulls[NUMBER]]).encode()
    server.fail_next("GET", "/pulls$", status=200, body=everything)

    assert opened(hosting) not in (NUMBER, 6)


@pytest.mark.usefixtures("branches")
def test_a_closed_pull_request_is_not_reused(server: GitHubServer, hosting: GitHub) -> None:
    """Nobody would see it."""
    first = opened(hosting)
    server.merge(first, MERGE)

    assert opened(hosting) != first


@pytest.mark.usefixtures("branches")
def test_two_threads_that_open_it_at_once_get_the_same(server: GitHubServer, hosting: GitHub) -> None:
    """The second is refused with 422 and looks again."""
    found: list[int] = []
    with server.hold("POST", "/pulls", arrivals=2):
        runs = [threading.Thread(target=lambda: found.append(opened(hosting))) for _ in range(2)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()

    assert len(found) == 2
    assert len(set(found)) == 1
    assert len(server.requests("POST", "/pulls")) == 2


@pytest.mark.usefixtures("branches")
@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_opens_no_second_pull_request(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """It looks before it tries again."""
    server.lose_next("POST", "/pulls", by=by)

    number = opened(hosting)

    assert list(server.state.pulls) == [NUMBER, number]
    assert len(server.requests("POST", "/pulls")) == 1


@pytest.mark.usefixtures("branches")
def test_githubs_reason_for_a_refusal_is_told(hosting: GitHub) -> None:
    """In its own words."""
    with pytest.raises(HostingRefused, match=r"Validation Failed.*PullRequest head invalid"):
        opened(hosting, "no-such-branch")


def test_nothing_to_merge_is_told(server: GitHubServer, hosting: GitHub) -> None:
    """A revert that changes nothing."""
    server.add_branch("main", HEAD)
    server.add_branch(BRANCH, HEAD)

    with pytest.raises(HostingRefused, match=f"No commits between main and {BRANCH}"):
        opened(hosting)
