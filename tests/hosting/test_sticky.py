"""The one comment of a pull request: never two, never of an older head, nobody else's."""

from __future__ import annotations

import threading

import pytest

from tests.hosting.conftest import HEAD, LOGIN, NUMBER, TOKEN, Waits, connected
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import CommentPut, longest_body
from workflows.clients.hosting.errors import HostingForbidden, HostingNotFound, HostingRefused
from workflows.clients.hosting.github import GitHub
from workflows.clients.hosting.sticky import length

NEWER = "b2" * 20
MARKER = f"<!-- adx:preview head={HEAD} -->"
COMMENT = r"/issues/comments/"


def put(hosting: GitHub, body: str = "the plan", *, head: str = HEAD, key: str = "preview") -> CommentPut:
    return hosting.put_comment(NUMBER, key=key, body=body, head=head)


def writes(server: GitHubServer) -> int:
    return sum(len(server.requests(verb)) for verb in ("POST", "PATCH", "DELETE"))


def test_the_first_put_creates_with_a_hidden_first_line(server: GitHubServer, hosting: GitHub) -> None:
    """By which it is found again."""
    written = put(hosting)

    assert written.action == "created"
    assert written.url.endswith(f"#issuecomment-{written.id}")
    assert server.bodies(NUMBER) == [f"{MARKER}\nthe plan"]


def test_the_next_put_edits_it(server: GitHubServer, hosting: GitHub) -> None:
    """For another head as well."""
    first = put(hosting)
    server.push(NUMBER, NEWER)

    second = put(hosting, "another plan", head=NEWER)

    assert (second.action, second.id, second.url) == ("edited", first.id, first.url)
    assert server.bodies(NUMBER) == [f"<!-- adx:preview head={NEWER} -->\nanother plan"]


@pytest.mark.parametrize("stored", ["the plan", "the plan\n", "the plan\r\nline two"])
def test_an_equal_body_is_not_written_again(server: GitHubServer, hosting: GitHub, stored: str) -> None:
    """However GitHub keeps line ends."""
    comment = server.comment(NUMBER, LOGIN, f"{MARKER}\r\n{stored}")

    written = put(hosting, stored.replace("\r\n", "\n"))

    assert (written.action, written.id) == ("unchanged", comment)
    assert writes(server) == 0


def test_each_key_has_its_own_comment(server: GitHubServer, hosting: GitHub) -> None:
    """One key may be the beginning of another."""
    put(hosting, "one", key="preview")
    put(hosting, "two", key="preview-staging")
    put(hosting, "three", key="preview")

    assert [body.partition("\n")[2] for body in server.bodies(NUMBER)] == ["three", "two"]


def test_it_is_found_beyond_the_first_page(server: GitHubServer, hosting: GitHub) -> None:
    """After more than a hundred others, and more than a hundred follow."""
    for _ in range(110):
        server.comment(NUMBER, "ana", "and another thing")
    first = put(hosting)
    for _ in range(110):
        server.comment(NUMBER, "ana", "and another thing")

    assert put(hosting, "another plan").id == first.id
    assert sum(body.startswith("<!-- adx:") for body in server.bodies(NUMBER)) == 1


@pytest.mark.parametrize(
    ("by", "body"),
    [
        ("ana", f"{MARKER}\nI wrote this"),  # somebody else, at the very start
        (LOGIN, f"> {MARKER}\n> the plan\n\nas quoted"),
        (LOGIN, f"\n{MARKER}\nnot at the very start"),
        ("some-bot[bot]", f"{MARKER}\nanother robot"),
    ],
)
def test_a_comment_of_another_or_a_quote_is_not_touched(
    server: GitHubServer, hosting: GitHub, by: str, body: str
) -> None:
    """Only ours, with the marker at the very start, counts."""
    server.comment(NUMBER, by, body, bot=by.endswith("[bot]"))

    assert put(hosting).action == "created"
    assert server.bodies(NUMBER) == [body, f"{MARKER}\nthe plan"]


def test_a_bot_that_may_not_ask_who_it_is_finds_its_comment(server: GitHubServer, waits: Waits) -> None:
    """As with the token of Actions, which gets 403 on /user; what people wrote is still not its own."""
    server.add_token("bot-token", "github-actions[bot]", bot=True)
    server.comment(NUMBER, "ana", f"{MARKER}\nI wrote this")
    bot = connected(server, waits, token="bot-token")

    assert put(bot).action == "created"
    assert put(bot, "another plan").action == "edited"
    assert server.bodies(NUMBER) == [f"{MARKER}\nI wrote this", f"{MARKER}\nanother plan"]
    assert len(server.requests("GET", "/user")) == 1


def test_a_comment_of_a_deleted_account_is_not_ours(server: GitHubServer, hosting: GitHub) -> None:
    """GitHub says null."""
    server.state.comments[server.comment(NUMBER, "ghost", MARKER)]["user"] = None

    assert put(hosting).action == "created"


def test_a_superseded_run_creates_nothing(server: GitHubServer, hosting: GitHub) -> None:
    """The run of the newer head will."""
    server.push(NUMBER, NEWER)

    assert put(hosting) == CommentPut(id=0, url="", action="superseded")
    assert writes(server) == 0


def test_a_superseded_run_leaves_what_the_newer_one_wrote(server: GitHubServer, hosting: GitHub) -> None:
    """Not even where it would write the same."""
    server.push(NUMBER, NEWER)
    put(hosting, "the newer plan", head=NEWER)

    assert put(hosting, "the older plan").action == "superseded"
    assert server.bodies(NUMBER) == [f"<!-- adx:preview head={NEWER} -->\nthe newer plan"]


def test_a_push_while_the_comments_are_read_supersedes(server: GitHubServer, hosting: GitHub) -> None:
    """The head is asked for right before the write, not at the beginning."""
    put(hosting)
    results: list[CommentPut] = []
    with server.hold("GET", "/issues/5/comments") as reading:
        run = threading.Thread(target=lambda: results.append(put(hosting, "another plan")))
        run.start()
        reading.wait_for(1)
        server.push(NUMBER, NEWER)
    run.join()

    assert [result.action for result in results] == ["superseded"]
    assert server.bodies(NUMBER) == [f"{MARKER}\nthe plan"]


@pytest.mark.parametrize("runs", [2, 5])
def test_runs_that_create_at_the_same_moment_end_with_one_comment(
    server: GitHubServer, waits: Waits, runs: int
) -> None:
    """All of them with the oldest, whichever is faster."""
    results: list[CommentPut] = []
    with server.hold("POST", "/comments", arrivals=runs):
        threads = [
            threading.Thread(target=lambda n=n: results.append(put(connected(server, waits), f"plan of run {n}")))
            for n in range(runs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    (left,) = [one for one in server.state.comments.values() if one["issue"] == NUMBER]
    assert len(server.requests("POST", "/comments")) == runs
    assert len(results) == runs
    assert {result.id for result in results} == {left["id"]}
    assert left["body"].startswith(f"{MARKER}\nplan of run ")


def test_duplicates_that_a_killed_run_left_are_removed(server: GitHubServer, hosting: GitHub) -> None:
    """It died between creating and looking again."""
    oldest = server.comment(NUMBER, LOGIN, f"{MARKER}\nthe plan")
    server.comment(NUMBER, LOGIN, f"{MARKER}\nthe plan")
    server.comment(NUMBER, "ana", "fine")

    assert put(hosting, "another plan").id == oldest
    assert server.bodies(NUMBER) == [f"{MARKER}\nanother plan", "fine"]


def test_a_run_that_is_superseded_while_it_creates_leaves_no_second_comment(server: GitHubServer, waits: Waits) -> None:
    """Its own goes, the newer run's stays."""
    old_results: list[CommentPut] = []
    with server.hold("POST", "/comments", arrivals=2) as creating:
        old = threading.Thread(target=lambda: old_results.append(put(connected(server, waits), "the older plan")))
        old.start()
        creating.wait_for(1)
        server.push(NUMBER, NEWER)
        put(connected(server, waits), "the newer plan", head=NEWER)
        old.join()

    put(connected(server, waits), "the newer plan", head=NEWER)
    assert server.bodies(NUMBER) == [f"<!-- adx:preview head={NEWER} -->\nthe newer plan"]
    assert old_results[0].action in ("created", "superseded")


def test_a_comment_deleted_before_the_edit_is_created_again(server: GitHubServer, hosting: GitHub) -> None:
    """By a person who found it old."""
    first = put(hosting)
    results: list[CommentPut] = []
    with server.hold("PATCH", COMMENT) as editing:
        run = threading.Thread(target=lambda: results.append(put(hosting, "another plan")))
        run.start()
        editing.wait_for(1)
        server.delete_comment(first.id)
    run.join()

    assert results[0].action == "created"
    assert results[0].id != first.id
    assert server.bodies(NUMBER) == [f"{MARKER}\nanother plan"]


def test_a_comment_that_cannot_be_edited_twice_is_told(server: GitHubServer, hosting: GitHub) -> None:
    """Creating again and again would be worse."""
    put(hosting)
    server.fail_next("PATCH", COMMENT, status=404, message="Not Found", times=2)

    with pytest.raises(HostingNotFound, match="PATCH issues/comments/"):
        put(hosting, "another plan")

    assert len(server.bodies(NUMBER)) == 1


@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_creates_no_second_comment(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """It looks before it tries again."""
    server.lose_next("POST", "/comments", by=by)

    written = put(hosting)

    assert written.action == "created"
    assert list(server.state.comments) == [written.id]
    assert len(server.requests("POST", "/comments")) == 1


def test_a_creation_that_failed_is_tried_again(server: GitHubServer, hosting: GitHub, waits: Waits) -> None:
    """Nothing was there when it looked."""
    server.fail_next("POST", "/comments", status=503, times=2)

    assert put(hosting).action == "created"
    assert len(server.bodies(NUMBER)) == 1
    assert waits.seconds == [1, 2]


@pytest.mark.parametrize("by", ["502", "closing"])
def test_a_lost_answer_to_an_edit_is_repeated(server: GitHubServer, hosting: GitHub, by: str) -> None:
    """Twice is once."""
    put(hosting)
    server.lose_next("PATCH", COMMENT, by=by)

    assert put(hosting, "another plan").action == "edited"
    assert server.bodies(NUMBER) == [f"{MARKER}\nanother plan"]


def test_a_lost_answer_to_a_deletion_is_no_error(server: GitHubServer, hosting: GitHub) -> None:
    """What is gone is gone."""
    for _ in range(2):
        server.comment(NUMBER, LOGIN, f"{MARKER}\nthe plan")
    server.lose_next("DELETE", COMMENT)

    assert put(hosting).action == "unchanged"
    assert len(server.bodies(NUMBER)) == 1


@pytest.mark.parametrize("letter", ["x", "é", "𝄞"])
def test_a_body_that_just_fits_is_taken_and_one_more_is_refused(
    server: GitHubServer, hosting: GitHub, letter: str
) -> None:
    """Rare characters count twice: nobody knows how GitHub counts them."""
    fits = letter * (longest_body("preview", HEAD) // length(letter))
    assert put(hosting, fits).action == "created"
    requests_before = len(server.seen)

    with pytest.raises(HostingRefused, match="more than the 65468 that fit") as caught:
        put(hosting, fits + 2 * letter)

    assert len(server.seen) == requests_before
    assert len(str(caught.value)) < 200
    assert "fold" in caught.value.next_step


@pytest.mark.parametrize("key", ["", "a b", "x -->", "a--b", "a-", "é", "-x", "a" * 102, "a\nb"])
def test_a_key_that_would_break_the_marker_is_refused(server: GitHubServer, hosting: GitHub, key: str) -> None:
    """Before anything is sent."""
    with pytest.raises(HostingRefused, match="key of a comment"):
        put(hosting, key=key)

    assert server.seen == []


@pytest.mark.parametrize("head", ["", "main", HEAD[:7], f"{HEAD} -->"])
def test_a_head_that_is_no_commit_id_is_refused(hosting: GitHub, head: str) -> None:
    """It could never equal the head."""
    with pytest.raises(HostingRefused, match="no full commit id"):
        put(hosting, head=head)


def test_a_forks_read_only_token_is_told_which_permission_is_missing(server: GitHubServer, waits: Waits) -> None:
    """It is no rate limit, although both are 403: nothing is waited for."""
    server.add_token("fork-token", "github-actions[bot]", bot=True, read_only=True)

    with pytest.raises(HostingForbidden, match=r"Resource not accessible.*\(pull-requests: write\)") as caught:
        put(connected(server, waits, token="fork-token"))

    assert "fork" in caught.value.next_step
    assert waits.seconds == []
    assert TOKEN not in str(caught.value)
