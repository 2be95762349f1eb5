"""GitHub as ADX's git hosting: what is asked for, and when something is already so.

Boundary: one object for all threads; it holds settings and the token's login,
no connection.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from workflows.clients.hosting import sticky, wire
from workflows.clients.hosting.errors import HostingForbidden, HostingNotFound, HostingRefused
from workflows.clients.hosting.model import Approval, CommentPut, CommitStatus, DeploymentState, PullRequest
from workflows.clients.hosting.operations import Operation, without_empty
from workflows.clients.hosting.patience import Patience
from workflows.clients.hosting.settings import HostingSettings
from workflows.clients.hosting.transport import Call, Transport

LONGEST_DESCRIPTION = 140
# Tells ADX's deployments from those that others make of the same commit and environment.
TASK = "adx"

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_READ_CODE = "contents: read"
_READ_PULLS = "pull-requests: read"
_PULLS = "pull-requests: write"
_STATUSES = "statuses: write"
_DEPLOYMENTS = "deployments: write"


class GitHub:
    """A repository at GitHub; a ``Hosting``. ``pause`` waits for that many seconds."""

    def __init__(self, settings: HostingSettings, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._pause = pause
        # None: not asked yet. Empty: the token belongs to a bot that may not ask.
        self._login: str | None = None

    def pull_request(self, number: int) -> PullRequest:
        """See ``Hosting``."""
        with self._operation() as operation:
            return _pull(operation, number).model()

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """See ``Hosting``."""
        path = f"commits/{_checked(commit)}/pulls"
        with self._operation() as operation:
            return tuple(pull.model() for pull in operation.pages(path, wire.Pull, permission=_READ_PULLS))

    def approvals(self, number: int) -> tuple[Approval, ...]:
        """See ``Hosting``."""
        with self._operation() as operation:
            reviews = list(operation.pages(f"pulls/{number}/reviews", wire.Review, permission=_READ_PULLS))
            # Asked after the reviews: a push in between makes them outdated, never current by mistake.
            return wire.approvals_of(reviews, _pull(operation, number).head.sha)

    def put_comment(self, number: int, *, key: str, body: str, head: str) -> CommentPut:
        """See ``Hosting`` and ``sticky``."""
        with self._operation() as operation:
            conversation = _Conversation(operation, number, lambda user: self._is_ours(operation, user))
            return sticky.put(conversation, key=key, body=body, head=head)

    def set_status(self, commit: str, status: CommitStatus) -> None:
        """See ``Hosting``."""
        path = f"statuses/{_checked(commit)}"
        wanted = wire.Status(status.context, status.state, shortened(status.description), status.target_url)
        body = {
            "context": wanted.context,
            "state": wanted.state,
            "description": wanted.description,
            "target_url": wanted.target_url,
        }
        with self._operation() as operation:

            def look() -> wire.Status | None:
                newest = next((one for one in _statuses(operation, commit) if one.context == wanted.context), None)
                return newest if newest is not None and newest.model() == wanted.model() else None

            call = Call("POST", path, _STATUSES, body=without_empty(body))
            operation.once(look, lambda: operation.create(call, wire.Status))

    def statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        """See ``Hosting``."""
        newest: dict[str, CommitStatus] = {}
        with self._operation() as operation:
            for status in _statuses(operation, _checked(commit)):
                newest.setdefault(status.context, status.model())
        return tuple(newest.values())

    def open_deployment(self, commit: str, environment: str, *, description: str) -> int:
        """See ``Hosting``. Of several, as two runs may make at the same moment, all runs take the oldest."""
        body = {
            "ref": _checked(commit),
            "task": TASK,
            "environment": environment,
            "description": shortened(description),
            # ADX delivers exactly this commit, when it has decided so itself.
            "auto_merge": False,
            "required_contexts": [],
        }
        with self._operation() as operation:

            def look() -> wire.Deployment | None:
                found = operation.pages(
                    "deployments",
                    wire.Deployment,
                    permission=_DEPLOYMENTS,
                    sha=commit,
                    environment=environment,
                    task=TASK,
                )
                return min(found, key=lambda deployment: deployment.id, default=None)

            call = Call("POST", "deployments", _DEPLOYMENTS, body=body)
            return operation.once(look, lambda: operation.create(call, wire.Deployment)).id

    def set_deployment_status(
        self,
        deployment_id: int,
        state: DeploymentState,
        *,
        description: str,
        log_url: str = "",
        environment_url: str = "",
    ) -> None:
        """See ``Hosting``. A success makes the environment's earlier deployments inactive, where GitHub does that."""
        path = f"deployments/{deployment_id}/statuses"
        wanted = (state, shortened(description), log_url, environment_url)
        body = dict(zip(("state", "description", "log_url", "environment_url"), wanted, strict=True))
        with self._operation() as operation:

            def look() -> wire.DeploymentStatus | None:
                newest = next(operation.pages(path, wire.DeploymentStatus, permission=_DEPLOYMENTS), None)
                return newest if newest is not None and _told(newest) == wanted else None

            call = Call("POST", path, _DEPLOYMENTS, body={**without_empty(body), "auto_inactive": True})
            operation.once(look, lambda: operation.create(call, wire.DeploymentStatus))

    def open_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """See ``Hosting``."""
        owner = self._settings.repository.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{head_branch}", "base": base_branch}
        wanted = {"head": head_branch, "base": base_branch, "title": title, "body": body}
        with self._operation() as operation:

            def look() -> PullRequest | None:
                pulls = operation.pages("pulls", wire.Pull, permission=_PULLS, **query)
                return next((found for pull in pulls if _is_from(found := pull.model(), head_branch)), None)

            def create() -> PullRequest:
                try:
                    return operation.create(Call("POST", "pulls", _PULLS, body=wanted), wire.Pull).model()
                except HostingRefused:
                    # Another run may have opened it a moment ago; any other refusal stands.
                    if (found := look()) is None:
                        raise
                    return found

            return operation.once(look, create)

    @contextmanager
    def _operation(self) -> Iterator[Operation]:
        with Transport(self._settings) as transport:
            yield Operation(transport, Patience(self._settings.budget_seconds, self._pause))

    def _is_ours(self, operation: Operation, user: wire.User | None) -> bool:
        if self._login is None:
            self._login = _login(operation)
        if user is None:
            return False
        return user.login == self._login if self._login else user.type == "Bot"


class _Conversation:
    """The comments of one pull request at GitHub; a ``sticky.Conversation``."""

    def __init__(self, operation: Operation, number: int, is_ours: Callable[[wire.User | None], bool]) -> None:
        self._operation = operation
        self._number = number
        self._is_ours = is_ours
        self.once = operation.once

    def head(self) -> str:
        return _pull(self._operation, self._number).head.sha

    def comments(self) -> list[sticky.Written]:
        path = f"issues/{self._number}/comments"
        return [self._written(one) for one in self._operation.pages(path, wire.Comment, permission=_READ_PULLS)]

    def create(self, body: str) -> sticky.Written:
        call = Call("POST", f"issues/{self._number}/comments", _PULLS, body={"body": body})
        made = self._operation.create(call, wire.Comment)
        return sticky.Written(id=made.id, url=made.html_url, body=made.body or "", is_ours=True)

    def edit(self, comment_id: int, body: str) -> None:
        self._operation.change(Call("PATCH", f"issues/comments/{comment_id}", _PULLS, body={"body": body}))

    def delete(self, comment_id: int) -> None:
        with suppress(HostingNotFound):
            self._operation.change(Call("DELETE", f"issues/comments/{comment_id}", _PULLS))

    def _written(self, comment: wire.Comment) -> sticky.Written:
        return sticky.Written(
            id=comment.id, url=comment.html_url, body=comment.body or "", is_ours=self._is_ours(comment.user)
        )


def shortened(description: str) -> str:
    """``description`` as GitHub takes it: the rest of a longer one becomes "…"."""
    return description if len(description) <= LONGEST_DESCRIPTION else f"{description[: LONGEST_DESCRIPTION - 1]}…"


def _pull(operation: Operation, number: int) -> wire.Pull:
    return operation.get(Call("GET", f"pulls/{number}", _READ_PULLS), wire.Pull)


def _statuses(operation: Operation, commit: str) -> Iterator[wire.Status]:
    """Newest first."""
    return operation.pages(f"commits/{commit}/statuses", wire.Status, permission=_READ_CODE)


def _login(operation: Operation) -> str:
    """Whose the token is; empty for a bot's, which GitHub does not tell."""
    try:
        return operation.get(Call("GET", "/user", "a user's token"), wire.User).login
    except HostingForbidden:
        return ""


def _told(status: wire.DeploymentStatus) -> tuple[str, str, str, str]:
    return status.state, status.description or "", status.log_url or "", status.environment_url or ""


def _is_from(pull: PullRequest, branch: str) -> bool:
    """GitHub answers with every pull request when it does not understand the filter."""
    return pull.head_ref == branch and not pull.is_from_fork


def _checked(commit: str) -> str:
    """A full commit id, which alone is safe in an address and unmistakable."""
    if not _COMMIT.fullmatch(commit):
        raise HostingRefused(
            f"{commit!r} is no full commit id", next_step="give the 40 digits that git rev-parse prints"
        )
    return commit
