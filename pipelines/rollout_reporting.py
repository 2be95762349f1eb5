"""Tells a git hosting where a merge has got to: commit statuses and deployments, from looks at its rollouts.

Reporting never stops the watching: what cannot be told now is told with the
next change, and the last word is tried again before the command ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.following import Follower
from policies.errors import AdxError

if TYPE_CHECKING:  # PyGithub costs 0.2 s
    from workflows.clients.hosting import Hosting
    from workflows.clients.hosting.model import DeploymentState, StatusState

ENDS: dict[str, tuple[StatusState, DeploymentState]] = {
    "delivered": ("success", "success"),
    "nothing-to-change": ("success", "success"),
    "partly-delivered": ("failure", "failure"),
    "superseded": ("success", "inactive"),
    "restored": ("failure", "failure"),
    "cancelled": ("failure", "failure"),
    "refused": ("failure", "failure"),
    "failed": ("failure", "failure"),
    "needs-operator": ("error", "error"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a reader of the pull request sees of one environment."""

    status: StatusState
    deployment: DeploymentState
    description: str

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to come."""
        return self.status != "pending"


def told(follower: Follower) -> Told:
    """The state of a followed submission in one sentence. Pure."""
    rollout = follower.rollout
    if follower.frozen_reason:
        return Told(
            status="error", deployment="error", description=f"frozen until an operator acts: {follower.frozen_reason}"
        )
    if rollout is None:
        if follower.is_ended:
            return Told(status="success", deployment="success", description="nothing was left to do")
        return Told(status="pending", deployment="queued", description="waits for its turn")
    if rollout.outcome:
        status, deployment = ENDS.get(rollout.outcome, ("error", "error"))
        return Told(
            status=status,
            deployment=deployment,
            description=_end(follower, rollout.outcome, rollout.failed_step, rollout.failure),
        )
    if rollout.waiting_for_approval:
        who = ", ".join(rollout.approvers) or "anybody"
        return Told(status="pending", deployment="queued", description=f"waits for approval by {who}")
    if rollout.held_until:
        return Told(status="pending", deployment="queued", description=f"held: {rollout.held_why}")
    step = next((step.name for step in rollout.steps if step.status == "running"), "starting")
    doing = "restoring" if rollout.phase == "restoring" else step
    return Told(
        status="pending",
        deployment="in_progress",
        description=f"{doing}: {rollout.summary}" if rollout.summary else doing,
    )


@dataclass
class RolloutReporter:
    """Keeps ``adx/rollout/<env>`` of each of ``commits``, and a deployment of the first, up to date."""

    hosting: Hosting
    commits: Sequence[str]
    link: str
    redact: Callable[[str], str]
    _said: dict[str, Told] = field(default_factory=dict)
    _deployments: dict[str, int] = field(default_factory=dict)
    error: AdxError | None = None

    def tell(self, follower: Follower) -> None:
        """Report the follower's state if it is news. Keeps an error instead of raising it."""
        news = told(follower)
        if self._said.get(follower.environment) == news:
            return
        try:
            self._write(follower.environment, news)
        except AdxError as error:
            self.error = error
            return
        self._said[follower.environment], self.error = news, None

    def _write(self, environment: str, news: Told) -> None:
        from workflows.clients.hosting import CommitStatus  # noqa: PLC0415 - see above

        sentence = self.redact(news.description)
        status = CommitStatus(
            context=f"adx/rollout/{environment}", state=news.status, description=sentence, target_url=self.link
        )
        for commit in self.commits:
            self.hosting.set_status(commit, status)
        self.hosting.set_deployment_status(
            self._deployment(environment), news.deployment, description=sentence, log_url=self.link
        )

    def _deployment(self, environment: str) -> int:
        if environment not in self._deployments:
            self._deployments[environment] = self.hosting.open_deployment(
                self.commits[0], environment, description="delivered by ADX"
            )
        return self._deployments[environment]


def commits_to_tell(hosting: Hosting, commit: str) -> list[str]:
    """The delivered commit first, then the heads of the pull requests that it merged: those are what people look at."""
    heads = [found.head for found in hosting.pull_requests_of(commit) if found.is_merged]
    return list(dict.fromkeys([commit, *heads]))


def _end(follower: Follower, outcome: str, step: str, failure: str) -> str:
    rollout = follower.rollout
    newer = rollout is not None and follower.commit and rollout.commit != follower.commit
    with_newer = f" with {rollout.commit[:12]}" if newer and rollout is not None else ""
    why = f": {step} failed: {failure}" if failure and step else ""
    words = {"restored": "failed and restored", "needs-operator": "needs an operator"}.get(
        outcome, outcome.replace("-", " ")
    )
    return f"{words}{with_newer}{why}"
