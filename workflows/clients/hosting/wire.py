"""What GitHub answers, as far as ADX reads it. Unknown fields are passed over, so that additions do no harm."""

from __future__ import annotations

import msgspec

from workflows.clients.hosting.model import Approval, CommitStatus, PullRequest, StatusState


class User(msgspec.Struct, frozen=True):
    """An account; GitHub says null instead of one that was deleted."""

    login: str
    type: str = "User"


class Repository(msgspec.Struct, frozen=True):
    """A repository, told apart by its id: names change."""

    id: int


class End(msgspec.Struct, frozen=True):
    """Where a pull request comes from or goes to; ``repo`` is null once that fork is deleted."""

    ref: str
    sha: str
    repo: Repository | None = None


class Pull(msgspec.Struct, frozen=True):
    """A pull request as lists and single answers have it in common."""

    number: int
    title: str
    html_url: str
    head: End
    base: End
    user: User | None = None
    merged_at: str | None = None
    merge_commit_sha: str | None = None

    def model(self) -> PullRequest:
        """As ADX says it. Until the merge, GitHub's merge commit is one that it only tried: left out."""
        head, base = self.head.repo, self.base.repo
        is_merged = self.merged_at is not None
        return PullRequest(
            number=self.number,
            title=self.title,
            head=self.head.sha,
            head_ref=self.head.ref,
            base_ref=self.base.ref,
            is_from_fork=head is None or base is None or head.id != base.id,
            is_merged=is_merged,
            merge_commit=(self.merge_commit_sha or "") if is_merged else "",
            author=self.user.login if self.user else "",
            url=self.html_url,
        )


class Review(msgspec.Struct, frozen=True):
    """A review; ``state`` in capitals. Dismissing changes the state of the review itself."""

    state: str
    user: User | None = None
    commit_id: str | None = None


class Comment(msgspec.Struct, frozen=True):
    """A comment in the conversation of a pull request. Ids grow."""

    id: int
    html_url: str
    body: str | None = None
    user: User | None = None


class Status(msgspec.Struct, frozen=True):
    """A commit status."""

    context: str
    state: StatusState
    description: str | None = None
    target_url: str | None = None

    def model(self) -> CommitStatus:
        """As ADX says it."""
        return CommitStatus(
            context=self.context,
            state=self.state,
            description=self.description or "",
            target_url=self.target_url or "",
        )


class Deployment(msgspec.Struct, frozen=True):
    """A deployment."""

    id: int


class DeploymentStatus(msgspec.Struct, frozen=True):
    """A status of a deployment."""

    state: str
    description: str | None = None
    log_url: str | None = None
    environment_url: str | None = None


class FieldError(msgspec.Struct, frozen=True):
    """One part of a refusal (422)."""

    resource: str = ""
    field: str | None = None
    code: str = ""
    message: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """The body of an answer of 400 or more."""

    message: str = ""
    errors: tuple[FieldError | str, ...] = ()

    def said(self) -> str:
        """Everything GitHub says in one text."""
        details = "; ".join(_detail(error) for error in self.errors)
        return f"{self.message} ({details})" if details else self.message


DECIDING = ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")


def approvals_of(reviews: list[Review], head: str) -> tuple[Approval, ...]:
    """Who approves, from ``reviews`` in GitHub's order, oldest first. A mere comment takes no decision back."""
    decisions: dict[str, Review] = {}
    for review in reviews:
        if review.user is not None and review.state in DECIDING:
            decisions.pop(review.user.login, None)
            decisions[review.user.login] = review
    return tuple(
        Approval(by=login, commit=review.commit_id or "", is_current=review.commit_id == head)
        for login, review in decisions.items()
        if review.state == "APPROVED"
    )


def _detail(error: FieldError | str) -> str:
    if isinstance(error, str):
        return error
    return error.message or " ".join(part for part in (error.resource, error.field, error.code) if part)
