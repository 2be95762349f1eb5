"""What ADX says to a git hosting and hears from it, and the calls it needs. Pure."""

from __future__ import annotations

from typing import Literal, Protocol

from policies.spec import Spec

StatusState = Literal["pending", "success", "failure", "error"]
DeploymentState = Literal["queued", "in_progress", "success", "failure", "error", "inactive"]
PutAction = Literal["created", "edited", "unchanged", "superseded"]


class CommitStatus(Spec):
    """One check beside a commit. ``context`` names it; a description longer than the hosting keeps is cut with "…"."""

    context: str
    state: StatusState
    description: str
    target_url: str = ""


class PullRequest(Spec):
    """A pull request. ``head`` is a full commit id; ``merge_commit`` is empty until it is merged.

    Title, branch names and author are what people typed: data, never to be
    run or trusted.
    """

    number: int
    title: str
    head: str
    head_ref: str
    base_ref: str
    is_from_fork: bool
    is_merged: bool
    merge_commit: str
    author: str
    url: str


class Approval(Spec):
    """The approval of one reviewer. ``is_current``: given to ``commit`` that is still the head of the pull request.

    The hosting does not say here whether ``by`` may approve: compare with who is declared.
    """

    by: str
    commit: str
    is_current: bool


class CommentPut(Spec):
    """What became of a comment; superseded: nothing was written, ``id`` is 0 and ``url`` empty."""

    id: int
    url: str
    action: PutAction


class Hosting(Protocol):
    """A repository at a git hosting.

    Every call may be repeated: what is already so is not written again. All
    raise the errors of ``workflows.clients.hosting.errors``.
    """

    def pull_request(self, number: int) -> PullRequest:
        """The pull request as it is now."""
        ...

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """The pull requests that brought ``commit``, or would."""
        ...

    def approvals(self, number: int) -> tuple[Approval, ...]:
        """Who approves, by the latest decision of each reviewer; in the order of their decisions."""
        ...

    def put_comment(self, number: int, *, key: str, body: str, head: str) -> CommentPut:
        """Make ``body`` (Markdown) the one comment with ``key``, unless ``head`` is no longer the head."""
        ...

    def set_status(self, commit: str, status: CommitStatus) -> None:
        """Make ``status`` the newest of its context."""
        ...

    def statuses(self, commit: str) -> tuple[CommitStatus, ...]:
        """The newest status of each context, newest first."""
        ...

    def open_deployment(self, commit: str, environment: str, *, description: str) -> int:
        """The id of ADX's deployment of ``commit`` to ``environment``, created if there is none."""
        ...

    def set_deployment_status(
        self,
        deployment_id: int,
        state: DeploymentState,
        *,
        description: str,
        log_url: str = "",
        environment_url: str = "",
    ) -> None:
        """Make this the newest status of the deployment."""
        ...

    def open_pull_request(self, *, head_branch: str, base_branch: str, title: str, body: str) -> PullRequest:
        """The open pull request from ``head_branch`` into ``base_branch``, created if there is none."""
        ...
