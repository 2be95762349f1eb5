"""GitHub's REST API on a local port, as far as ADX uses it: real HTTP, state that a test can read, faults on demand.

It answers as GitHub does: ids that grow, pages with Link headers, limits on
every answer, 401, 403, 404 and 422 with GitHub's bodies, a merge commit that
is only tried before the merge. Any well-formed commit id is known, apart from
``unknown_commits``; a branch exists when it was added, or when
``branch_head`` finds it in a real repository.

Faults go by verb and a pattern for the path::

    server.fail_next("POST", "/comments", status=502)              # nothing is done
    server.lose_next("POST", "/comments")                          # it is done, the answer says 502
    server.lose_next("POST", "/comments", by="closing")            # it is done, the connection is closed
    with server.hold("POST", "/comments", arrivals=2): ...         # both wait until both are there
    with server.hold("GET", "/pulls/1"): ...                       # waits until the block ends
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, Any]
REPOSITORY = "acme/platform"
REPOSITORY_ID = 7001
FORK_ID = 7002
LONGEST_BODY = 65_536
LONGEST_DESCRIPTION = 140
HOURLY_LIMIT = 5_000
PATIENCE_SECONDS = 100
# Longer than any client keeps an idle connection: else one may send into a connection that is just being closed.
KEEP_ALIVE_SECONDS = 300

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVIEW_STATES = ("APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING")
_STATUS_STATES = ("error", "failure", "pending", "success")
_DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


class Refused(Exception):
    """An answer other than success, as GitHub words it."""

    def __init__(self, status: int, message: str, *errors: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(status),
        }
        if errors:
            self.body["errors"] = list(errors)


def invalid(resource: str, field_name: str, message: str = "", code: str = "custom") -> Refused:
    """GitHub's 422 about one field."""
    error = {"resource": resource, "field": field_name, "code": code}
    return Refused(422, "Validation Failed", {**error, "message": message} if message else error)


@dataclass(frozen=True)
class Account:
    """Whose a token is. A bot's token may not ask for its user; a read-only one may not write."""

    login: str
    is_bot: bool = False
    is_read_only: bool = False

    def user(self) -> Json:
        """As answers name an account."""
        return {"login": self.login, "id": abs(hash(self.login)) % 10**6, "type": "Bot" if self.is_bot else "User"}


@dataclass(frozen=True)
class Seen:
    """A request that arrived, without its token."""

    verb: str
    path: str
    query: Mapping[str, str]
    user_agent: str


@dataclass
class _Fault:
    verb: str
    pattern: re.Pattern[str]
    times: int
    kind: Literal["instead", "lost", "closed"]
    status: int = 502
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Hold:
    """Requests that wait. ``arrived`` counts them; they go on when ``arrivals`` are there, or on ``release``."""

    verb: str
    pattern: re.Pattern[str]
    arrivals: int | None
    arrived: int = 0
    _open: threading.Event = field(default_factory=threading.Event)
    _change: threading.Condition = field(default_factory=threading.Condition)

    def release(self) -> None:
        """Let all go on."""
        self._open.set()

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` requests have arrived."""
        with self._change:
            assert self._change.wait_for(lambda: self.arrived >= count, PATIENCE_SECONDS), "too few requests arrived"

    def pass_through(self) -> None:
        """Called for each request: counts it, and returns when it may go on."""
        with self._change:
            self.arrived += 1
            self._change.notify_all()
            if self.arrivals is not None and self.arrived >= self.arrivals:
                self._open.set()
        self._open.wait(PATIENCE_SECONDS)


@dataclass
class State:
    """What the repository holds; every value as GitHub answers it. Read it while nobody writes."""

    repository: str = REPOSITORY
    pulls: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, Json] = field(default_factory=dict)
    reviews: dict[int, Json] = field(default_factory=dict)
    statuses: list[Json] = field(default_factory=list)
    deployments: dict[int, Json] = field(default_factory=dict)
    deployment_statuses: list[Json] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    unknown_commits: set[str] = field(default_factory=set)
    tokens: dict[str, Account] = field(default_factory=dict)
    former_names: list[str] = field(default_factory=list)
    last_id: int = 100

    def new_id(self) -> int:
        """A higher id than all before."""
        self.last_id += 1
        return self.last_id


class GitHubServer:
    """A running server; ``url`` is what GITHUB_API_URL is to be. Use it as a context manager."""

    def __init__(self, repository: str = REPOSITORY, *, branch_head: Callable[[str], str | None] | None = None) -> None:
        self.state = State(repository=repository)
        self.seen: list[Seen] = []
        self.lock = threading.RLock()
        self.branch_head = branch_head
        self._faults: list[_Fault] = []
        self._holds: list[Hold] = []
        # With the protocol named, asyncio switches Nagle's algorithm off: it costs 40 ms a request.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        app = _Faulty(self, _Api(self).application())
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="github server", daemon=True
        )

    def __enter__(self) -> GitHubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self._holds:
            hold.release()
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def environment(self, token: str) -> dict[str, str]:
        """The variables that lead ADX here."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": self.state.repository, "GITHUB_TOKEN": token}

    def add_token(self, token: str, login: str, *, bot: bool = False, read_only: bool = False) -> None:
        """Accept ``token`` as ``login``'s."""
        self.state.tokens[token] = Account(login, is_bot=bot, is_read_only=read_only)

    def add_branch(self, name: str, head: str) -> None:
        """Make a branch, or move it."""
        self.state.branches[name] = head

    def add_pull_request(
        self,
        number: int,
        head: str,
        base_ref: str = "main",
        head_ref: str | None = None,
        is_from_fork: bool = False,
        *,
        title: str = "A change",
        author: str = "ana",
    ) -> None:
        """Open a pull request."""
        with self.lock:
            self.state.last_id = max(self.state.last_id, number)
            self.state.pulls[number] = self.new_pull(
                number,
                head=(head_ref or f"change-{number}", head, FORK_ID if is_from_fork else REPOSITORY_ID),
                base_ref=base_ref,
                title=title,
                author=Account(author),
            )

    def new_pull(self, number: int, *, head: tuple[str, str, int], base_ref: str, title: str, author: Account) -> Json:
        """The pull request as GitHub answers it; ``head`` is ref, commit and repository id."""
        ref, commit, repository_id = head
        return {
            "number": number,
            "state": "open",
            "title": title,
            "html_url": f"https://github.com/{self.state.repository}/pull/{number}",
            "user": author.user(),
            "head": {"ref": ref, "sha": commit, "repo": {"id": repository_id}},
            "base": {"ref": base_ref, "sha": "b" * 40, "repo": {"id": REPOSITORY_ID}},
            "merged_at": None,
            "merge_commit_sha": "7e57" * 10,  # GitHub tries the merge beforehand
        }

    def push(self, number: int, head: str) -> None:
        """Move the head of a pull request."""
        with self.lock:
            self.state.pulls[number]["head"]["sha"] = head

    def merge(self, number: int, commit: str) -> None:
        """Merge a pull request as ``commit``."""
        with self.lock:
            self.state.pulls[number] |= {"state": "closed", "merged_at": now(), "merge_commit_sha": commit}

    def review(self, number: int, by: str | None, state: str, commit: str) -> int:
        """Add a review (``APPROVED``, …) and return its id; ``by`` None is an account that was deleted."""
        assert state in _REVIEW_STATES, state
        with self.lock:
            review_id = self.state.new_id()
            self.state.reviews[review_id] = {
                "id": review_id,
                "pull": number,
                "user": Account(by).user() if by else None,
                "state": state,
                "commit_id": commit,
            }
            return review_id

    def dismiss(self, review_id: int) -> None:
        """Dismiss a review: its state changes, it stays where it is."""
        with self.lock:
            self.state.reviews[review_id]["state"] = "DISMISSED"

    def comment(self, number: int, by: str, body: str, *, bot: bool = False) -> int:
        """Write a comment as somebody else, and return its id."""
        with self.lock:
            return int(self.new_comment(number, Account(by, is_bot=bot), body)["id"])

    def new_comment(self, number: int, author: Account, body: str) -> Json:
        """Add a comment and return it as GitHub answers it."""
        comment_id = self.state.new_id()
        self.state.comments[comment_id] = {
            "id": comment_id,
            "issue": number,
            "html_url": f"https://github.com/{self.state.repository}/pull/{number}#issuecomment-{comment_id}",
            "user": author.user(),
            "body": body,
            "created_at": now(),
            "updated_at": now(),
        }
        return self.state.comments[comment_id]

    def delete_comment(self, comment_id: int) -> None:
        """Remove a comment, as a person does."""
        with self.lock:
            del self.state.comments[comment_id]

    def bodies(self, number: int) -> list[str]:
        """The comments of a pull request, oldest first."""
        with self.lock:
            return [one["body"] for _, one in sorted(self.state.comments.items()) if one["issue"] == number]

    def rename(self, repository: str) -> None:
        """Rename the repository; its former name leads to it."""
        with self.lock:
            self.state.former_names.append(self.state.repository)
            self.state.repository = repository

    def fail_next(
        self,
        verb: str,
        pattern: str,
        *,
        status: int,
        message: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next ``times`` such requests with this instead of doing anything."""
        content = json.dumps({"message": message}).encode() if body is None else body
        type_header = {"content-type": "application/json; charset=utf-8"} if body is None else {}
        fault = _Fault(verb, re.compile(pattern), times, "instead", status, content, type_header | dict(headers or {}))
        self._faults.append(fault)

    def limit_next(self, verb: str, pattern: str, *, reset_in: int, times: int = 1) -> None:
        """Answer as when the hourly number of requests is used up."""
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + reset_in)}
        message = "API rate limit exceeded for user ID 1."
        self.fail_next(verb, pattern, status=403, message=message, headers=headers, times=times)

    def lose_next(self, verb: str, pattern: str, *, by: Literal["502", "closing"] = "502", times: int = 1) -> None:
        """Do what the next ``times`` such requests ask for, and lose the answer."""
        self._faults.append(_Fault(verb, re.compile(pattern), times, "closed" if by == "closing" else "lost"))

    @contextmanager
    def hold(self, verb: str, pattern: str, *, arrivals: int | None = None) -> Iterator[Hold]:
        """Let such requests wait, before anything is done, until ``arrivals`` of them are there or the block ends."""
        hold = Hold(verb, re.compile(pattern), arrivals)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.release()

    def requests(self, verb: str, pattern: str = "") -> list[Seen]:
        """The requests so far of that verb whose path contains the pattern."""
        with self.lock:
            return [one for one in self.seen if one.verb == verb and re.search(pattern, one.path)]

    def take_fault(self, verb: str, path: str) -> _Fault | None:
        """The fault that is due for this request; used up by it."""
        with self.lock:
            for fault in self._faults:
                if fault.times > 0 and fault.verb == verb and fault.pattern.search(path):
                    fault.times -= 1
                    return fault
        return None

    def hold_for(self, verb: str, path: str) -> Hold | None:
        """The hold that this request runs into."""
        return next((hold for hold in list(self._holds) if hold.verb == verb and hold.pattern.search(path)), None)


def now() -> str:
    """The time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Faulty:
    """Records requests, lets them wait and breaks their answers; adds the rate limit to all."""

    def __init__(self, server: GitHubServer, app: ASGIApp) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        verb, path = request.method, request.url.path
        with self._server.lock:
            agent = request.headers.get("user-agent", "")
            self._server.seen.append(Seen(verb, path, dict(request.query_params), agent))
        if (hold := self._server.hold_for(verb, path)) is not None:
            await run_in_threadpool(hold.pass_through)
        fault = self._server.take_fault(verb, path)
        if fault is None:
            await self._app(scope, receive, self._limited(send))
        elif fault.kind == "instead":
            await Response(fault.body, fault.status, dict(fault.headers))(scope, receive, self._limited(send))
        else:
            await self._app(scope, receive, _nowhere)
            if fault.kind == "lost":
                page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
                await Response(page, fault.status, media_type="text/html")(scope, receive, self._limited(send))
            else:
                await _break_off(send)

    def _limited(self, send: Send) -> Send:
        async def with_limit(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message = {**message, "headers": [*message["headers"], *self._limits(present)]}
            await send(message)

        return with_limit

    def _limits(self, present: set[bytes]) -> list[tuple[bytes, bytes]]:
        used = len(self._server.seen)
        limits = {
            "x-ratelimit-limit": HOURLY_LIMIT,
            "x-ratelimit-remaining": max(HOURLY_LIMIT - used, 1),
            "x-ratelimit-used": used,
            "x-ratelimit-reset": int(time.time()) + 3600,
            "x-ratelimit-resource": "core",
        }
        return [(name.encode(), str(value).encode()) for name, value in limits.items() if name.encode() not in present]


async def _nowhere(_: Message) -> None:
    """Where a lost answer goes."""


async def _break_off(send: Send) -> None:
    """Begin an answer and stop in the middle of it: the server then closes the connection."""
    headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})


Handler = Callable[["Call"], Any]


@dataclass(frozen=True)
class Call:
    """One request, as its handler sees it: who asks, which ids are in the path, query and body."""

    account: Account
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Json

    def commit(self) -> str:
        """The commit id in the path."""
        return self.ids["commit"]


class _Api:
    """The answers of the API. Handlers return what GitHub answers: a list for pages, None for nothing."""

    def __init__(self, server: GitHubServer) -> None:
        self._server = server

    def application(self) -> ASGIApp:
        """All routes, under the repository's name and under its id."""
        routes: list[tuple[str, str, Handler, int]] = [
            ("GET", "", self._repository, 200),
            ("GET", "/pulls", self._pulls, 200),
            ("POST", "/pulls", self._open_pull, 201),
            ("GET", "/pulls/{number:int}", self._pull, 200),
            ("GET", "/pulls/{number:int}/reviews", self._reviews, 200),
            ("GET", "/issues/{number:int}/comments", self._comments, 200),
            ("POST", "/issues/{number:int}/comments", self._create_comment, 201),
            ("PATCH", "/issues/comments/{id:int}", self._edit_comment, 200),
            ("DELETE", "/issues/comments/{id:int}", self._delete_comment, 204),
            ("GET", "/commits/{commit}/pulls", self._pulls_of, 200),
            ("GET", "/commits/{commit}/statuses", self._statuses, 200),
            ("POST", "/statuses/{commit}", self._set_status, 201),
            ("GET", "/deployments", self._deployments, 200),
            ("POST", "/deployments", self._create_deployment, 201),
            ("GET", "/deployments/{id:int}/statuses", self._deployment_statuses, 200),
            ("POST", "/deployments/{id:int}/statuses", self._set_deployment_status, 201),
        ]
        return Starlette(
            routes=[
                Route("/user", self._endpoint(self._user, 200), methods=["GET"]),
                *(
                    Route(f"{root}{path}", self._endpoint(handler, status), methods=[verb])
                    for root in ("/repos/{owner}/{name}", "/repositories/{repository:int}")
                    for verb, path, handler, status in routes
                ),
            ],
            exception_handlers={404: _not_found},
        )

    def _endpoint(self, handler: Handler, status: int) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._answer, handler, status, request, body)

        return endpoint

    def _answer(self, handler: Handler, status: int, request: Request, body: bytes) -> Response:
        with self._server.lock:
            try:
                account = self._account(request)
                if (moved := self._moved(request)) is not None:
                    return moved
                content = json.loads(body) if body else {}
                ids = {name: str(value) for name, value in request.path_params.items()}
                result = handler(Call(account, ids, dict(request.query_params), content))
            except Refused as refusal:
                return JSONResponse(refusal.body, refusal.status)
        if isinstance(result, list):
            return self._page(request, result)
        return Response(status_code=status) if result is None else JSONResponse(result, status)

    def _account(self, request: Request) -> Account:
        """Who asks. Raises 401 for an unknown token and 403 for a write that it may not do."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise Refused(401, "Requires authentication")
        account = self._server.state.tokens.get(token) if scheme.lower() in ("bearer", "token") else None
        if account is None:
            raise Refused(401, "Bad credentials")
        if account.is_read_only and request.method != "GET":
            raise Refused(403, "Resource not accessible by integration")
        return account

    def _moved(self, request: Request) -> Response | None:
        """Where a former name leads to: 301 for reading, 307 for writing. Raises 404 for another repository."""
        if "owner" not in request.path_params:
            return None
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        if name == self._server.state.repository:
            return None
        if name not in self._server.state.former_names:
            raise Refused(404, "Not Found")
        rest = request.url.path.removeprefix(f"/repos/{name}")
        query = f"?{request.url.query}" if request.url.query else ""
        target = f"{self._server.url}/repositories/{REPOSITORY_ID}{rest}{query}"
        return RedirectResponse(target, 301 if request.method == "GET" else 307)

    def _page(self, request: Request, items: list[Json]) -> Response:
        """The page asked for, 30 entries unless the query says up to 100, with links to the others."""
        size = max(1, min(int(request.query_params.get("per_page", 30)), 100))
        page = max(1, int(request.query_params.get("page", 1)))
        last = max(1, -(-len(items) // size))
        numbers = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        wanted = [*(["prev", "first"] if page > 1 else []), *(["next", "last"] if page < last else [])]
        links = [f'<{self._link(request, numbers[name])}>; rel="{name}"' for name in wanted]
        headers = {"link": ", ".join(links)} if links else {}
        return JSONResponse(items[(page - 1) * size : page * size], headers=headers)

    def _link(self, request: Request, page: int) -> str:
        return f"{self._server.url}{request.url.path}?{urlencode({**request.query_params, 'page': page})}"

    def _user(self, call: Call) -> Json:
        if call.account.is_bot:
            raise Refused(403, "Resource not accessible by integration")
        return call.account.user()

    def _repository(self, _: Call) -> Json:
        return {"id": REPOSITORY_ID, "full_name": self._server.state.repository}

    def _pulls(self, call: Call) -> list[Json]:
        """Newest first; ``head`` is ``owner:branch``."""
        owner = self._server.state.repository.partition("/")[0]
        state, base, head = call.query.get("state", "open"), call.query.get("base"), call.query.get("head")

        def is_wanted(pull: Json) -> bool:
            is_ours = pull["head"]["repo"]["id"] == REPOSITORY_ID
            whole = f"{owner if is_ours else 'somebody'}:{pull['head']['ref']}"
            return state in ("all", pull["state"]) and base in (None, pull["base"]["ref"]) and head in (None, whole)

        return [pull for _, pull in sorted(self._server.state.pulls.items(), reverse=True) if is_wanted(pull)]

    def _open_pull(self, call: Call) -> Json:
        head, base = str(call.body.get("head", "")), str(call.body.get("base", ""))
        if not call.body.get("title"):
            raise invalid("PullRequest", "title", code="missing_field")
        heads = {name: self._branch(name) for name in (head, base)}
        for name, field_name in ((head, "head"), (base, "base")):
            if heads[name] is None:
                raise invalid("PullRequest", field_name, code="invalid")
        if heads[head] == heads[base]:
            raise invalid("PullRequest", "", f"No commits between {base} and {head}")
        owner = self._server.state.repository.partition("/")[0]
        if self._pulls(Call(call.account, {}, {"head": f"{owner}:{head}", "base": base}, {})):
            raise invalid("PullRequest", "", f"A pull request already exists for {owner}:{head}.")
        number = self._server.state.new_id()
        pull = self._server.new_pull(
            number,
            head=(head, str(heads[head]), REPOSITORY_ID),
            base_ref=base,
            title=call.body["title"],
            author=call.account,
        )
        self._server.state.pulls[number] = {**pull, "body": call.body.get("body")}
        return self._server.state.pulls[number]

    def _branch(self, name: str) -> str | None:
        found = self._server.state.branches.get(name)
        return self._server.branch_head(name) if found is None and self._server.branch_head is not None else found

    def _pull(self, call: Call) -> Json:
        pull = self._found(self._server.state.pulls, call.ids["number"])
        return {**pull, "merged": pull["merged_at"] is not None}

    def _reviews(self, call: Call) -> list[Json]:
        self._pull(call)
        return [one for _, one in sorted(self._server.state.reviews.items()) if one["pull"] == int(call.ids["number"])]

    def _comments(self, call: Call) -> list[Json]:
        self._pull(call)
        comments = sorted(self._server.state.comments.items())
        return [one for _, one in comments if one["issue"] == int(call.ids["number"])]

    def _create_comment(self, call: Call) -> Json:
        self._pull(call)
        return self._server.new_comment(int(call.ids["number"]), call.account, self._comment_body(call))

    def _edit_comment(self, call: Call) -> Json:
        comment = self._found(self._server.state.comments, call.ids["id"])
        comment |= {"body": self._comment_body(call), "updated_at": now()}
        return comment

    def _comment_body(self, call: Call) -> str:
        body = str(call.body.get("body") or "")
        if not body.strip():
            raise invalid("IssueComment", "body", code="missing_field")
        if len(body) > LONGEST_BODY:
            raise invalid("IssueComment", "data", f"Body is too long (maximum is {LONGEST_BODY} characters)")
        return body

    def _delete_comment(self, call: Call) -> None:
        del self._server.state.comments[self._found(self._server.state.comments, call.ids["id"])["id"]]

    def _pulls_of(self, call: Call) -> list[Json]:
        """Merged as the commit; or open with it as their head."""
        commit = self._known(call.commit())
        pulls = self._server.state.pulls.values()
        merged = [pull for pull in pulls if pull["merged_at"] and pull["merge_commit_sha"] == commit]
        return merged or [pull for pull in pulls if pull["head"]["sha"] == commit]

    def _known(self, commit: str) -> str:
        if not _COMMIT.fullmatch(commit) or commit in self._server.state.unknown_commits:
            raise Refused(422, f"No commit found for SHA: {commit}")
        return commit

    def _statuses(self, call: Call) -> list[Json]:
        """Newest first."""
        commit = self._known(call.commit())
        return [one for one in reversed(self._server.state.statuses) if one["sha"] == commit]

    def _set_status(self, call: Call) -> Json:
        commit = self._known(call.commit())
        status = {"context": "default", "description": None, "target_url": None, **call.body}
        if status.get("state") not in _STATUS_STATES:
            raise invalid("Status", "state", code="custom", message="state is not included in the list")
        self._check_description("Status", status)
        status |= {
            "id": self._server.state.new_id(),
            "sha": commit,
            "creator": call.account.user(),
            "created_at": now(),
        }
        self._server.state.statuses.append(status)
        return status

    def _deployments(self, call: Call) -> list[Json]:
        """Newest first."""
        wanted = {name: call.query[name] for name in ("sha", "ref", "task", "environment") if name in call.query}
        deployments = sorted(self._server.state.deployments.items(), reverse=True)
        return [one for _, one in deployments if all(one[name] == value for name, value in wanted.items())]

    def _create_deployment(self, call: Call) -> Json:
        usual = {"task": "deploy", "auto_merge": True, "environment": "production", "description": None}
        deployment = {**usual, **call.body}
        commit = self._known(str(deployment.get("ref", "")))
        newest = {one["context"]: one["state"] for one in self._server.state.statuses if one["sha"] == commit}
        contexts = call.body.get("required_contexts")
        required = newest if contexts is None else contexts
        if any(newest.get(context) != "success" for context in required):
            raise Refused(409, "Conflict: Commit status checks failed for the ref.")
        self._check_description("Deployment", deployment)
        deployment |= {"id": self._server.state.new_id(), "sha": commit, "creator": call.account.user()}
        self._server.state.deployments[deployment["id"]] = deployment
        return deployment

    def _deployment_statuses(self, call: Call) -> list[Json]:
        """Newest first."""
        deployment = self._found(self._server.state.deployments, call.ids["id"])
        return [
            one for one in reversed(self._server.state.deployment_statuses) if one["deployment"] == deployment["id"]
        ]

    def _set_deployment_status(self, call: Call) -> Json:
        deployment = self._found(self._server.state.deployments, call.ids["id"])
        if call.body.get("state") not in _DEPLOYMENT_STATES:
            raise invalid("DeploymentStatus", "state", code="invalid")
        self._check_description("DeploymentStatus", call.body)
        if call.body["state"] == "success" and call.body.get("auto_inactive", True):
            self._deactivate_before(deployment)
        return self._add_deployment_status(deployment, call.body)

    def _deactivate_before(self, deployment: Json) -> None:
        """GitHub does so for the same environment, unless it is a production environment."""
        for earlier in self._server.state.deployments.values():
            is_same_place = earlier["environment"] == deployment["environment"]
            if is_same_place and earlier["id"] < deployment["id"] and earlier["environment"] != "production":
                self._add_deployment_status(earlier, {"state": "inactive"})

    def _add_deployment_status(self, deployment: Json, content: Json) -> Json:
        usual = {"description": "", "log_url": "", "environment_url": ""}
        status = {**usual, **content, "id": self._server.state.new_id(), "deployment": deployment["id"]}
        self._server.state.deployment_statuses.append(status)
        return status

    def _check_description(self, resource: str, content: Mapping[str, Any]) -> None:
        if len(content.get("description") or "") > LONGEST_DESCRIPTION:
            message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
            raise invalid(resource, "description", message)

    def _found(self, things: Mapping[int, Json], thing_id: str) -> Json:
        try:
            return things[int(thing_id)]
        except KeyError:
            raise Refused(404, "Not Found") from None


def _not_found(_: Request, __: Exception) -> Response:
    return JSONResponse(Refused(404, "Not Found").body, 404)
