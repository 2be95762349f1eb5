"""What GitHub and networks do wrong: each has its class, its bound and its words."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import psutil
import pytest

from policies.errors import AdxError
from tests.hosting.conftest import HEAD, LOGIN, NUMBER, TOKEN, Waits, connected
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import CommitStatus, HostingSettings, open_hosting
from workflows.clients.hosting.errors import (
    HostingDenied,
    HostingForbidden,
    HostingNotFound,
    HostingRateLimited,
    HostingRefused,
    HostingTimedOut,
    HostingUnreachable,
)
from workflows.clients.hosting.github import GitHub
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

PULL = r"/pulls/5$"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


def test_a_bad_token_is_told_with_what_to_do(server: GitHubServer, waits: Waits) -> None:
    """Once; trying again does not help."""
    with pytest.raises(HostingDenied, match=r"GET pulls/5 of acme/platform: 401 Bad credentials") as caught:
        connected(server, waits, token="wrong-token").pull_request(NUMBER)

    assert isinstance(caught.value, AdxValidationError)
    assert "ADX_GITHUB_TOKEN_FILE" in caught.value.next_step
    assert len(server.seen) == 1


def test_a_token_renewed_meanwhile_is_tried(server: GitHubServer, tmp_path: Path) -> None:
    """An installation's token lives for an hour; the file changes between reading and refusing."""
    file = tmp_path / "token"
    file.write_text("expired")
    environ = server.environment("") | {"ADX_GITHUB_TOKEN_FILE": str(file)}
    settings = HostingSettings.from_environment(environ)
    reads: list[str] = []

    def read_and_renew() -> str:
        reads.append(settings.read_token())
        file.write_text(TOKEN)
        return reads[-1]

    changed = HostingSettings(api_url=server.url, repository=settings.repository, read_token=read_and_renew)

    assert GitHub(changed).pull_request(NUMBER).head == HEAD
    assert reads[0] == "expired"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "Not Found", HostingNotFound),
        (410, "Gone", HostingNotFound),
        (409, "Conflict", HostingRefused),
        (422, "Validation Failed", HostingRefused),
        (400, "Problems parsing JSON", HostingRefused),
        (403, "Resource not accessible by integration", HostingForbidden),
        (403, "Must have admin rights to Repository.", HostingForbidden),
        (500, "Server Error", HostingUnreachable),
        (503, "Service Unavailable", HostingUnreachable),
        (504, "Gateway Timeout", HostingTimedOut),
        (429, "Too Many Requests", HostingRateLimited),
    ],
)
def test_each_answer_has_its_class(
    server: GitHubServer, waits: Waits, status: int, message: str, kind: type[AdxError]
) -> None:
    """Which decides whether it is tried again; the words are GitHub's."""
    server.fail_next("GET", PULL, status=status, message=message)

    with pytest.raises(kind, match=f"GET pulls/5 of acme/platform: {status} {message}") as caught:
        connected(server, waits, budget_seconds=0).pull_request(NUMBER)

    assert type(caught.value) is kind
    assert caught.value.next_step
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("kinds", "base"),
    [
        ((HostingUnreachable, HostingRateLimited), AdxConnectionError),
        ((HostingTimedOut,), AdxTimeoutError),
        ((HostingDenied, HostingForbidden, HostingNotFound, HostingRefused), AdxValidationError),
    ],
)
def test_workflows_retry_by_the_class_of_the_error(kinds: tuple[type[AdxError], ...], base: type[AdxError]) -> None:
    """What cannot change is not tried again, what may is."""
    assert [kind for kind in kinds if not issubclass(kind, base)] == []


def test_a_reading_call_is_tried_again_with_growing_pauses(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """GitHub fails for seconds, now and then."""
    server.fail_next("GET", PULL, status=502, times=4)

    assert hosting.pull_request(NUMBER).head == HEAD
    assert waits.seconds == [1, 2, 4, 8]


def test_a_lasting_failure_ends(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """After a bounded number of attempts."""
    server.fail_next("GET", PULL, status=502, times=100)

    with pytest.raises(HostingUnreachable, match="502"):
        hosting.pull_request(NUMBER)

    assert len(server.seen) == 5
    assert sum(waits.seconds) <= 60


def test_retries_are_counted_over_the_whole_operation(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """An operation of five requests must not take five times as long."""
    server.fail_next("GET", "/comments", status=502, times=3)
    server.fail_next("POST", "/comments", status=502, times=100)

    with pytest.raises(HostingUnreachable):
        hosting.put_comment(NUMBER, key="preview", body="the plan", head=HEAD)

    assert waits.seconds == [1, 2, 4, 8]


def test_retry_after_is_waited_for(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """As long as GitHub says; nothing was done, so that a POST is sent again as well."""
    server.fail_next("POST", "/statuses/", status=403, message=SECONDARY, headers={"retry-after": "7"})
    server.fail_next("POST", "/statuses/", status=429, message="", headers={"retry-after": "5"})

    hosting.set_status(HEAD, CommitStatus(context="adx", state="success", description="delivered"))

    assert waits.seconds == [7, 5]
    assert len(server.state.statuses) == 1


def test_a_server_that_always_asks_for_no_time_is_not_asked_for_ever(
    server: GitHubServer, hosting: GitHub, waits: Waits
) -> None:
    """Every wait counts for at least a second."""
    server.fail_next("GET", PULL, status=429, headers={"retry-after": "0"}, times=1000)

    with pytest.raises(HostingRateLimited):
        hosting.pull_request(NUMBER)

    assert len(server.seen) == 61


def test_the_hourly_limit_is_waited_for_when_it_ends_soon(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """Until the reset that GitHub names."""
    server.limit_next("GET", PULL, reset_in=20)

    assert hosting.pull_request(NUMBER).head == HEAD
    (waited,) = waits.seconds
    assert 0 < waited <= 21


def test_an_hourly_limit_beyond_the_budget_names_its_end(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """Nothing is waited for in vain."""
    begun = int(time.time())
    server.limit_next("GET", PULL, reset_in=1800)
    seconds = range(begun, int(time.time()) + 1)  # in one of them the server has looked at its clock

    with pytest.raises(HostingRateLimited, match="API rate limit exceeded") as caught:
        hosting.pull_request(NUMBER)

    ends = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second + 1801)) for second in seconds]
    assert any(f"at {end}" in str(caught.value) for end in ends)
    assert 1700 < caught.value.wait_seconds <= 1801
    assert isinstance(caught.value, AdxConnectionError)
    assert waits.seconds == []


def test_a_secondary_limit_without_a_time_waits_a_minute(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """As GitHub asks for; a second one is beyond the budget."""
    server.fail_next("GET", PULL, status=403, message=SECONDARY, times=2)

    with pytest.raises(HostingRateLimited):
        hosting.pull_request(NUMBER)

    assert waits.seconds == [60]


def test_a_reset_beyond_the_calendar_is_no_crash(server: GitHubServer, hosting: GitHub) -> None:
    """A header is only text."""
    server.fail_next("GET", PULL, status=429, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 18})

    with pytest.raises(HostingRateLimited, match="at 9999-12-31"):
        hosting.pull_request(NUMBER)


@pytest.mark.parametrize("header", ["9" * 400, "Wed, 21 Oct 2026 07:28:00 GMT", "-5", ""])
def test_a_time_to_wait_that_is_no_number_counts_as_a_minute(
    server: GitHubServer, hosting: GitHub, waits: Waits, header: str
) -> None:
    """As when GitHub names none."""
    server.fail_next("GET", PULL, status=429, headers={"retry-after": header})

    assert hosting.pull_request(NUMBER).head == HEAD
    assert waits.seconds == [60]


@pytest.mark.parametrize("reset", ["9" * 400, "tomorrow"])
def test_limits_that_are_no_numbers_are_told(server: GitHubServer, waits: Waits, reset: str) -> None:
    """By whatever stands in between and sends them."""
    server.fail_next("GET", PULL, status=429, headers={"x-ratelimit-reset": reset})

    with pytest.raises(HostingUnreachable, match="its answer is unreadable"):
        connected(server, waits, budget_seconds=0).pull_request(NUMBER)


def test_the_permissions_that_github_names_are_told(server: GitHubServer, hosting: GitHub) -> None:
    """They are more exact than what ADX knows."""
    server.fail_next(
        "POST",
        "/deployments",
        status=403,
        message="Resource not accessible by personal access token",
        headers={"x-accepted-github-permissions": "deployments=write"},
    )

    with pytest.raises(HostingForbidden, match=r"\(deployments=write\)"):
        hosting.open_deployment(HEAD, "staging", description="")


def test_all_parts_of_a_validation_message_are_told(server: GitHubServer, hosting: GitHub) -> None:
    """On one line, however GitHub shapes them."""
    errors = [{"resource": "Status", "field": "state", "code": "invalid"}, "as\x1b[31m text", {"message": "as words"}]
    body = json.dumps({"message": "Validation Failed", "errors": errors}).encode()
    server.fail_next("POST", "/statuses/", status=422, body=body)

    with pytest.raises(HostingRefused) as caught:
        hosting.set_status(HEAD, CommitStatus(context="adx", state="success", description=""))

    assert r"422 Validation Failed (Status state invalid; as\x1b[31m text; as words)" in str(caught.value)


def test_a_slow_answer_is_asked_for_again(server: GitHubServer, waits: Waits) -> None:
    """And the second attempt succeeds."""
    with server.hold("GET", PULL, arrivals=2):
        # As long as the second answer may take on a busy machine: a third attempt would be a wait too many.
        found = connected(server, waits, timeout_seconds=5).pull_request(NUMBER)

    assert found.head == HEAD
    assert waits.seconds == [1]


def test_no_answer_in_time_is_told(server: GitHubServer, waits: Waits) -> None:
    """With how long it was waited for."""
    with (
        server.hold("GET", PULL),
        pytest.raises(HostingTimedOut, match="GET pulls/5 of acme/platform: no answer within 1 s") as caught,
    ):
        connected(server, waits, timeout_seconds=1, budget_seconds=0).pull_request(NUMBER)

    assert isinstance(caught.value, AdxTimeoutError)


def test_a_refused_connection_is_told(server: GitHubServer, waits: Waits) -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hosting = connected(server, waits, api_url=f"http://127.0.0.1:{port}")

    with pytest.raises(HostingUnreachable, match="GitHub cannot be reached") as caught:
        hosting.pull_request(NUMBER)

    assert isinstance(caught.value, AdxConnectionError)
    assert "GITHUB_API_URL" in caught.value.next_step
    assert waits.seconds == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html><title>Sign in</title></html>", "no JSON"),
        (b"", "no JSON"),
        (b'{"number": "five"}', r"missing required field|Expected `int`"),
        (b"[1, 2]", "Expected `object`"),
    ],
)
def test_an_answer_that_is_not_githubs_is_told(server: GitHubServer, waits: Waits, body: bytes, reason: str) -> None:
    """A proxy's page to sign in, say; nothing of it is repeated."""
    server.fail_next("GET", PULL, status=200, body=body, headers={"content-type": "text/html; charset=utf-8"})

    with pytest.raises(HostingUnreachable, match=r"the answer \(200, text/html\) is not GitHub's") as caught:
        connected(server, waits, budget_seconds=0).pull_request(NUMBER)

    assert any(part in str(caught.value) for part in reason.split("|"))
    assert "Sign in" not in str(caught.value)


def test_an_error_page_is_told_by_its_status(server: GitHubServer, waits: Waits) -> None:
    """GitHub's own 502 is a page of HTML."""
    server.fail_next("GET", PULL, status=502, body=b"<html>Unicorn!</html>", headers={"content-type": "text/html"})

    with pytest.raises(HostingUnreachable, match=r"502 \(text/html instead of JSON\)") as caught:
        connected(server, waits, budget_seconds=0).pull_request(NUMBER)

    assert "Unicorn" not in str(caught.value)


def test_a_renamed_repository_is_followed(server: GitHubServer, hosting: GitHub) -> None:
    """Reading all pages, and writing."""
    for number in range(150):
        server.comment(NUMBER, "ana", f"comment {number}")
    server.rename("acme/renamed")

    assert hosting.put_comment(NUMBER, key="preview", body="the plan", head=HEAD).action == "created"
    assert hosting.put_comment(NUMBER, key="preview", body="another plan", head=HEAD).action == "edited"

    assert len(server.bodies(NUMBER)) == 151


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_server_is_not_followed(server: GitHubServer, hosting: GitHub, status: int) -> None:
    """The token would go with it."""
    with GitHubServer() as other:
        other.add_token(TOKEN, "stolen")
        other.add_pull_request(NUMBER, HEAD)
        server.fail_next("GET", PULL, status=status, headers={"location": f"{other.url}/repos/acme/platform/pulls/5"})

        with pytest.raises(HostingRefused, match=f"{status}, redirected to another server; not followed") as caught:
            hosting.pull_request(NUMBER)

        assert other.seen == []
    assert "GITHUB_REPOSITORY" in caught.value.next_step


@pytest.mark.parametrize("status", [302, 303])
def test_a_write_that_is_redirected_to_a_page_is_told(server: GitHubServer, hosting: GitHub, status: int) -> None:
    """A form was expected, or a sign-in."""
    server.fail_next("POST", "/deployments", status=status, headers={"location": "/login"})

    with pytest.raises(HostingRefused, match="redirected to a page to read"):
        hosting.open_deployment(HEAD, "staging", description="")


def test_redirects_in_a_circle_end(server: GitHubServer, hosting: GitHub) -> None:
    """After three."""
    server.fail_next("GET", PULL, status=301, headers={"location": "/repos/acme/platform/pulls/5"}, times=100)

    with pytest.raises(HostingRefused, match="more than 3 redirects"):
        hosting.pull_request(NUMBER)

    assert len(server.seen) == 4


def test_a_redirect_without_a_target_is_told(server: GitHubServer, hosting: GitHub) -> None:
    """Not taken for an answer."""
    server.fail_next("GET", PULL, status=301, message="Moved Permanently")

    with pytest.raises(HostingRefused, match="301 Moved Permanently"):
        hosting.pull_request(NUMBER)


def test_pages_without_end_end(server: GitHubServer, hosting: GitHub) -> None:
    """A server whose last page names a next one."""
    link = f'<{server.url}/repos/acme/platform/pulls/5/reviews?page=2>; rel="next"'
    server.fail_next("GET", "/reviews", status=200, body=b"[]", headers={"link": link}, times=1000)

    with pytest.raises(HostingRefused, match="more than 10000 entries"):
        hosting.approvals(NUMBER)

    assert len(server.seen) == 100


def test_no_connection_is_left_open(server: GitHubServer) -> None:
    """A worker lives for weeks: each operation closes what it opened."""
    hosting = open_hosting(server.environment(TOKEN))
    for _ in range(3):
        hosting.pull_request(NUMBER)

    ends = {
        f"127.0.0.1:{connection.raddr.port}" for connection in psutil.Process().net_connections() if connection.raddr
    }
    assert server.url.removeprefix("http://") not in ends
    assert {one.user_agent for one in server.seen} == {"adx"}


def test_an_ordinary_word_as_token_spoils_no_answer(server: GitHubServer, waits: Waits) -> None:
    """Only what is shown is searched for it."""
    server.add_token("main", LOGIN)

    assert connected(server, waits, token="main").pull_request(NUMBER).base_ref == "main"
