"""Exit statuses, sentences and commit statuses that follow from results."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pipelines.drift.exit_status import exit_code
from pipelines.exit_codes import ExitCode
from tests.drift.results import AS_DELIVERED, COMMIT, DRIFTED, NOTHING, UNCHECKED, UNDER_WAY
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import open_hosting
from workflows.clients.hosting.errors import HostingForbidden, HostingMisconfigured
from workflows.drift.findings import EnvironmentDrift, sentence
from workflows.drift.report import StatusWriter

TOKEN = "canary-hosting-token-4d1f"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """A GitHub on a local port."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as running:
        running.add_token(TOKEN, "adx-robot")
        running.add_token("reads-only", "ana", read_only=True)
        yield running


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], ExitCode.OK),
        ([AS_DELIVERED, NOTHING, UNDER_WAY], ExitCode.OK),
        ([AS_DELIVERED, DRIFTED], ExitCode.FAILED),
        ([DRIFTED, UNCHECKED], ExitCode.UNREACHABLE),
    ],
)
def test_the_exit_status_is_that_of_the_worst(found: list[EnvironmentDrift], code: ExitCode) -> None:
    """What could not be checked outweighs drift: the answer is not complete."""
    assert exit_code(found) == code


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (AS_DELIVERED, "as delivered: 58 objects compared"),
        (DRIFTED, "2 changed, 1 missing, 2 of no unit"),
        (UNCHECKED, "could not be checked: the API server cannot be reached (ConnectError): GET /api/v1/namespaces"),
        (NOTHING, "nothing was delivered yet"),
    ],
)
def test_each_result_has_a_sentence(found: EnvironmentDrift, said: str) -> None:
    """The screen and the status say the same."""
    assert sentence(found) == said


def test_statuses_are_set_on_the_delivered_commit_where_something_was_found_out(server: GitHubServer) -> None:
    """Neither a rollout under way nor an environment without a delivery says anything about drift."""
    environ = server.environment(TOKEN) | {"GITHUB_RUN_ID": "77"}
    writer = StatusWriter.open(environ, lambda text: text.replace("API", "***"))
    for found in (AS_DELIVERED, DRIFTED, UNCHECKED, NOTHING, UNDER_WAY):
        writer.write(found)

    statuses = {status.context: status for status in open_hosting(environ).statuses(COMMIT)}
    assert {context: status.state for context, status in statuses.items()} == {
        "adx/drift/development": "success",
        "adx/drift/production": "failure",
        "adx/drift/edge": "error",
    }
    assert all(status.target_url.endswith("/actions/runs/77") for status in statuses.values())
    assert statuses["adx/drift/production"].description == "2 changed, 1 missing, 2 of no unit"
    assert "the *** server" in statuses["adx/drift/edge"].description


def test_a_token_that_may_not_write_is_an_error_and_a_missing_one_is_told_at_once(server: GitHubServer) -> None:
    """Whoever asked for a status learns that there is none; the token is not repeated."""
    with pytest.raises(HostingForbidden) as refused:
        StatusWriter.open(server.environment("reads-only"), str).write(DRIFTED)
    with pytest.raises(HostingMisconfigured, match="GITHUB_TOKEN"):
        StatusWriter.open({}, str)

    assert "reads-only" not in str(refused.value)
