"""A planted token: in no message, no log record, no repr, whatever goes wrong."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable

import pytest

from policies.errors import AdxError
from tests.hosting.conftest import HEAD, NUMBER, TOKEN, Waits, connected
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import CommitStatus
from workflows.clients.hosting.github import GitHub

BODY_CANARY = "canary-of-a-comment-91c4"
Fault = Callable[[GitHubServer], None]

FAULTS: dict[str, Fault] = {
    "401": lambda server: server.state.tokens.clear(),
    "403": lambda server: server.fail_next("POST", "", status=403, message=f"not with Bearer {TOKEN}", times=9),
    "404": lambda server: server.fail_next("GET", "", status=404, message=TOKEN, times=9),
    "409": lambda server: server.fail_next("POST", "", status=409, message=TOKEN),
    "422": lambda server: server.fail_next(
        "POST", "", status=422, body=json.dumps({"message": "no", "errors": [{"message": TOKEN}]}).encode()
    ),
    "429": lambda server: server.fail_next("GET", "", status=429, message=TOKEN, headers={"retry-after": "999"}),
    "502": lambda server: server.fail_next("GET", "", status=502, message=TOKEN, times=9),
    "html": lambda server: server.fail_next(
        "GET", "", status=200, body=b"<html>", headers={"content-type": TOKEN}, times=9
    ),
    "redirect": lambda server: server.fail_next(
        "GET", "", status=301, headers={"location": f"http://elsewhere.example/?token={TOKEN}"}
    ),
    "closed": lambda server: server.lose_next("GET", "", by="closing", times=9),
}


def put_comment(hosting: GitHub) -> None:
    hosting.put_comment(NUMBER, key="preview", body=BODY_CANARY, head=HEAD)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_error_holds_the_token(server: GitHubServer, hosting: GitHub, fault: Fault) -> None:
    """Not even where the server repeats it; the whole traceback is looked at."""
    fault(server)

    with pytest.raises(AdxError) as caught:
        put_comment(hosting)

    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in f"{shown} {caught.value!r} {caught.value.next_step} {vars(caught.value)}"
    assert BODY_CANARY not in shown
    assert caught.value.__cause__ is None


def test_logs_hold_neither_the_token_nor_bodies(
    server: GitHubServer, hosting: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """At the most talkative level of every library; only addresses are left."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("github").setLevel(logging.DEBUG)
        logging.getLogger("urllib3").setLevel(logging.DEBUG)
        put_comment(hosting)
        hosting.set_status(HEAD, CommitStatus(context="adx", state="success", description=BODY_CANARY))

    written = "\n".join(f"{record.name} {record.getMessage()} {record.args}" for record in caplog.records)
    assert "POST /repos/acme/platform/issues/5/comments" in written
    assert TOKEN not in written
    assert BODY_CANARY not in written


def test_no_repr_holds_the_token(server: GitHubServer, waits: Waits) -> None:
    """Of the adapter or of anything it keeps."""
    hosting = connected(server, waits)
    put_comment(hosting)

    assert TOKEN not in repr(hosting)
    assert TOKEN not in repr(vars(hosting))
