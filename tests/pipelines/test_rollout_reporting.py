"""What a pull request shows of its rollout, and that reporting never stops the watching."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pipelines.following import Follower
from pipelines.rollout_reporting import RolloutReporter, commits_to_tell, told
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import HostingSettings
from workflows.clients.hosting.github import GitHub
from workflows.models import StepProgress
from workflows.rollout.models import RolloutStatus

FROZEN = ("error", "error", "frozen until an operator acts: r0 failed")
COMMIT, HEAD, TOKEN = "c" * 40, "a" * 40, "canary-rollout-token-19fe"


def follower(**fields: object) -> Follower:
    """A followed delivery of COMMIT; ``fields`` of its rollout's status."""
    status = RolloutStatus("r1", "staging", COMMIT, "deliver", "ada", "cli", summary="service/cart changed")
    for name, value in fields.items():
        setattr(status, name, value)
    return Follower("staging", COMMIT, rollout=status)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Follower("staging", COMMIT), ("pending", "queued", "waits for its turn")),
        (Follower("staging", COMMIT, is_ended=True), ("success", "success", "nothing was left to do")),
        (Follower("staging", COMMIT, frozen_reason="r0 failed"), FROZEN),
        (follower(steps=[StepProgress("apply", "running")]), ("pending", "in_progress", "apply: service/cart changed")),
        (follower(phase="restoring"), ("pending", "in_progress", "restoring: service/cart changed")),
        (follower(waiting_for_approval=True, approvers=["ines"]), ("pending", "queued", "waits for approval by ines")),
        (follower(outcome="delivered"), ("success", "success", "delivered")),
        (follower(outcome="delivered", commit="d" * 40), ("success", "success", "delivered with dddddddddddd")),
        (
            follower(outcome="restored", failed_step="deploy", failure="crash loop"),
            ("failure", "failure", "failed and restored: deploy failed: crash loop"),
        ),
        (
            follower(outcome="partly-delivered", failed_step="tenants", failure="9 delivered, 1 restored"),
            ("failure", "failure", "partly delivered: tenants failed: 9 delivered, 1 restored"),
        ),
        (follower(outcome="needs-operator"), ("error", "error", "needs an operator")),
        (follower(outcome="refused"), ("failure", "failure", "refused")),
        (follower(outcome="superseded"), ("success", "inactive", "superseded")),
    ],
)  # fmt: skip
def test_each_state_of_a_rollout_has_its_words(given: Follower, expected: tuple[str, str, str]) -> None:
    """A reader who knows nothing of ADX sees where the change has got to."""
    found = told(given)

    assert (found.status, found.deployment, found.description) == expected
    assert found.is_final is (found.status != "pending")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """One merged pull request."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as running:
        running.add_token(TOKEN, "adx-robot")
        running.add_pull_request(5, HEAD)
        running.merge(5, COMMIT)
        yield running


def reporter(server: GitHubServer) -> RolloutReporter:
    """Reports on the merge commit and on the head of its pull request."""
    hosting = GitHub(HostingSettings.from_environment(server.environment(TOKEN)), pause=lambda _: None)
    return RolloutReporter(hosting, commits_to_tell(hosting, COMMIT), "https://ci/1", lambda text: text)


def test_the_pull_requests_own_commit_shows_the_rollout_too(server: GitHubServer) -> None:
    """People look at the pull request, not at the merge commit; what is said twice is written once."""
    reports = reporter(server)
    for given in (follower(), follower(), follower(outcome="delivered")):
        reports.tell(given)

    written = [(one["sha"], one["context"], one["state"]) for one in server.state.statuses]
    assert written == [
        (commit, "adx/rollout/staging", state) for state in ("pending", "success") for commit in (COMMIT, HEAD)
    ]
    assert [one["state"] for one in server.state.deployment_statuses] == ["in_progress", "success"]
    assert reports.error is None


def test_what_could_not_be_told_is_told_with_the_next_look(server: GitHubServer) -> None:
    """An outage of the hosting ends neither the watching nor, once it is over, the report."""
    reports = reporter(server)
    server.fail_next("POST", "statuses", status=503, times=50)
    reports.tell(follower(outcome="delivered"))
    failed = reports.error

    server.state.statuses.clear()
    while server.take_fault("POST", f"/repos/x/statuses/{COMMIT}") is not None:
        pass
    reports.tell(follower(outcome="delivered"))

    assert failed is not None
    assert TOKEN not in str(failed)
    assert reports.error is None
    assert {one["state"] for one in server.state.statuses} == {"success"}
