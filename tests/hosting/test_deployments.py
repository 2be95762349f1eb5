"""GitHub Deployments: one of a commit and environment, and its statuses."""

from __future__ import annotations

import pytest

from tests.hosting.conftest import HEAD
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import CommitStatus
from workflows.clients.hosting.errors import HostingNotFound
from workflows.clients.hosting.github import GitHub

OTHER = "b2" * 20


def opened(hosting: GitHub, commit: str = HEAD, environment: str = "staging") -> int:
    return hosting.open_deployment(commit, environment, description="rollout r-1")


def states(server: GitHubServer, deployment_id: int) -> list[str]:
    return [one["state"] for one in server.state.deployment_statuses if one["deployment"] == deployment_id]


def test_a_deployment_is_opened_once(server: GitHubServer, hosting: GitHub) -> None:
    """A retry finds it."""
    first = opened(hosting)

    assert opened(hosting) == first
    assert list(server.state.deployments) == [first]
    assert server.state.deployments[first]["description"] == "rollout r-1"


def test_commits_and_environments_have_their_own(hosting: GitHub) -> None:
    """Each delivery is one."""
    assert len({opened(hosting), opened(hosting, OTHER), opened(hosting, environment="a/b & c")}) == 3


def test_deployments_of_others_are_left_alone(server: GitHubServer, hosting: GitHub) -> None:
    """Another tool's has another task."""
    foreign = {"id": 1, "sha": HEAD, "ref": HEAD, "environment": "staging", "task": "deploy"}
    server.state.deployments[1] = foreign

    assert opened(hosting) != 1


def test_checks_that_wait_do_not_keep_a_deployment_from_being_told(server: GitHubServer, hosting: GitHub) -> None:
    """ADX has decided; GitHub would refuse with 409, or merge the base branch into the commit."""
    hosting.set_status(HEAD, CommitStatus(context="adx/staging", state="pending", description="waits"))

    made = server.state.deployments[opened(hosting)]

    assert (made["auto_merge"], made["required_contexts"], made["task"]) == (False, [], "adx")


@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_makes_no_second_deployment(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """It looks before it tries again."""
    server.lose_next("POST", "/deployments$", by=by)

    made = opened(hosting)

    assert list(server.state.deployments) == [made]


def test_of_several_the_oldest_is_taken(server: GitHubServer, hosting: GitHub) -> None:
    """All runs agree, whatever happened before."""
    first = opened(hosting)
    server.state.deployments[first + 1] = {**server.state.deployments[first], "id": first + 1}

    assert opened(hosting) == first


def test_a_status_is_written_once(server: GitHubServer, hosting: GitHub) -> None:
    """With its links; a retry changes nothing."""
    deployment = opened(hosting)
    for _ in range(2):
        hosting.set_deployment_status(
            deployment,
            "in_progress",
            description="applies",
            log_url="https://adx.example/r-1",
            environment_url="https://shop.example",
        )

    (status,) = server.state.deployment_statuses
    assert (status["state"], status["log_url"], status["environment_url"], status["auto_inactive"]) == (
        "in_progress",
        "https://adx.example/r-1",
        "https://shop.example",
        True,
    )


def test_states_follow_each_other(server: GitHubServer, hosting: GitHub) -> None:
    """Only the newest is compared with."""
    deployment = opened(hosting)
    for state in ("queued", "in_progress", "failure", "in_progress", "success"):
        hosting.set_deployment_status(deployment, state, description="x" * 200)

    assert states(server, deployment) == ["queued", "in_progress", "failure", "in_progress", "success"]


def test_a_success_makes_the_one_before_inactive(server: GitHubServer, hosting: GitHub) -> None:
    """What GitHub shows as active is what is delivered."""
    first, second = opened(hosting), opened(hosting, OTHER)
    for deployment in (first, second):
        hosting.set_deployment_status(deployment, "success", description="delivered")

    assert states(server, first) == ["success", "inactive"]
    assert states(server, second) == ["success"]


@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_writes_no_second_status(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """It looks before it tries again."""
    deployment = opened(hosting)
    server.lose_next("POST", f"/deployments/{deployment}/statuses", by=by)

    hosting.set_deployment_status(deployment, "success", description="delivered")

    assert states(server, deployment) == ["success"]


def test_a_missing_deployment_is_told(hosting: GitHub) -> None:
    """It was deleted, say."""
    with pytest.raises(HostingNotFound, match="deployments/404/statuses"):
        hosting.set_deployment_status(404, "success", description="delivered")
