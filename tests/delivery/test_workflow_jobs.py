"""Every job of the GitHub workflows, run as it is written where everything answers: a real stack, a GitHub server.

Jobs get secrets and variables as GitHub hands them over, each in a checkout of
the commit that the workflow names. Where nothing answers: tests/github_workflows.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery import Delivery
from tests.github_workflows.runner import Event, JobResult, run_job
from tests.support.github_server import GitHubServer

REPOSITORY = "boutique/platform"
TOKEN = "canary-workflow-token-83b2"
NUMBER = 7
BRANCH = "topic"
RUN_PAGE = f"https://github.com/{REPOSITORY}/actions/runs/1"
VARIABLES = (
    *("ADX_SNAPSHOT_STORE", "ADX_KUBE_CONTEXT", "PULUMI_BACKEND_URL"),
    *("ADX_TEMPORAL_ADDRESS", "ADX_TEMPORAL_NAMESPACE", "ADX_TASK_QUEUE"),
)


@dataclass
class Hosted:
    """The shop's repository as GitHub hosts it, and the jobs that run for it."""

    delivery: Delivery
    server: GitHubServer

    @property
    def secrets(self) -> dict[str, str]:
        """What no log may hold."""
        environ = self.delivery.environ
        return {
            "GITHUB_TOKEN": TOKEN,
            "ADX_LEDGER_URL": environ["ADX_LEDGER_URL"],
            "ADX_SNAPSHOT_KEY": Path(environ["ADX_SNAPSHOT_KEY_FILE"]).read_text("utf-8").strip(),
            "ADX_KUBECONFIG": Path(environ["KUBECONFIG"]).read_text("utf-8"),
            "PULUMI_CONFIG_PASSPHRASE": Path(environ["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text("utf-8").strip(),
        }

    async def run(self, workflow: str, job: str, *, event: Event, folder: Path, **more: Any) -> JobResult:
        """Run a job; it must succeed, and tell no secret."""
        environ = {
            # What `setup-adx` leaves: `adx` on PATH, all other programs in the cache of the user.
            "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
            **{name: os.environ[name] for name in ("HOME", "ADX_CACHE_DIR") if name in os.environ},
            "GITHUB_API_URL": self.server.url,
        }
        settings = {**{name: self.delivery.environ[name] for name in VARIABLES}, **self.secrets}
        result = await asyncio.to_thread(
            partial(run_job, workflow, job, environ=environ, settings=settings, event=event, folder=folder, **more)
        )
        assert result.conclusion == "success", result.log
        assert [name for name, value in self.secrets.items() if value in result.log] == []
        return result

    def checkout(self, commit: str) -> Path:
        """A fresh clone of the repository, all branches known, at ``commit``."""
        folder = self.delivery.folder / f"checkout-{commit[:12]}"
        for arguments in (
            ["clone", "--quiet", str(self.delivery.shop.remote), str(folder)],
            ["-C", str(folder), "checkout", "--quiet", commit],
        ):
            subprocess.run(["git", *arguments], check=True, capture_output=True)
        return folder

    def fetch(self, folder: Path) -> None:
        """Let a checkout know what was pushed since."""
        subprocess.run(["git", "-C", str(folder), "fetch", "--quiet"], check=True, capture_output=True)

    def push(self, message: str) -> str:
        """Commit the documents on the branch; the pull request's head moves."""
        head = self.delivery.shop.propose(BRANCH, message)
        self.server.push(NUMBER, head)
        return head

    def statuses(self, commit: str) -> dict[str, str]:
        """State of the newest status of each context."""
        return {one["context"]: one["state"] for one in self.server.state.statuses if one["sha"] == commit}

    def newest(self, commit: str, context: str) -> dict[str, Any]:
        """The newest status of one context, as GitHub answers it."""
        return [one for one in self.server.state.statuses if (one["sha"], one["context"]) == (commit, context)][-1]


@pytest.fixture
def hosted(delivery: Delivery) -> Iterator[Hosted]:
    """The repository with one pull request that nobody has pushed to yet."""
    with GitHubServer(REPOSITORY) as server:
        server.add_token(TOKEN, "github-actions[bot]", bot=True)
        server.add_pull_request(NUMBER, "0" * 40, head_ref=BRANCH)
        yield Hosted(delivery, server)


def opened(base: str, head: str) -> Event:
    """What GitHub sends for each push to the pull request."""
    payload = {
        "action": "synchronize",
        "pull_request": {
            "number": NUMBER,
            "base": {"sha": base, "ref": "main"},
            "head": {"sha": head, "ref": BRANCH, "repo": {"full_name": REPOSITORY}},
        },
    }
    return Event("pull_request", payload, head, f"refs/pull/{NUMBER}/merge", repository=REPOSITORY)


async def test_the_jobs_of_a_pull_request_judge_it_preview_it_and_keep_one_comment(hosted: Hosted) -> None:
    """In the order of the workflow, each given what those before it left; the second push edits the comment."""
    delivery, shop = hosted.delivery, hosted.delivery.shop
    name = delivery.environment
    delivery.start_worker()
    base = shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()
    shop.services["frontend"]["version"] = "v1.3.0"
    first = hosted.push("raise the frontend")
    merge_result, folder = hosted.checkout(first), hosted.checkout(base)
    run = partial(hosted.run, "pull-request", event=opened(base, first))

    validate = await run("validate", folder=merge_result)
    affected = await run("affected", folder=merge_result)
    policy = await run("policy", folder=folder, needs={"validate": validate})
    assert json.loads(affected.outputs["environments"]) == [name]
    planned = {"validate": validate, "affected": affected}
    preview = await run("preview", folder=folder, matrix={"environment": name}, needs=planned)
    await run("comment", folder=folder, needs={"affected": affected, "preview": preview})
    await run("ready", folder=folder, needs={**planned, "policy": policy, "preview": preview})

    [(comment_id, comment)] = hosted.server.state.comments.items()
    text = comment["body"]
    expected = {f"adx/{what}": "success" for what in ("validate", "policy", f"preview/{name}")}
    assert hosted.statuses(first) == expected
    status = hosted.newest(first, f"adx/preview/{name}")
    digest = status["description"].rpartition("plan ")[2]
    assert "## ADX preview: ✅ nothing speaks against it" in text
    assert len(digest) == 12
    assert f"plan `{digest}" in text
    assert "`version` `v1.2.0` → `v1.3.0`" in text
    assert status["target_url"] == RUN_PAGE
    assert (folder / "preview.md").read_text("utf-8").startswith("## ADX preview")

    shop.services["frontend"]["version"] = "v1.4.0"
    second = hosted.push("raise it further")
    hosted.fetch(folder)
    run = partial(hosted.run, "pull-request", event=opened(base, second))
    preview = await run("preview", folder=folder, matrix={"environment": name}, needs=planned)
    await run("comment", folder=folder, needs={"affected": affected, "preview": preview})

    [(edited_id, edited)] = hosted.server.state.comments.items()
    assert edited_id == comment_id
    assert "v1.4.0" in edited["body"]
    assert "v1.3.0" not in edited["body"]
    assert hosted.statuses(second) == {f"adx/preview/{name}": "success"}
    assert await delivery.live() == before


async def test_the_jobs_after_a_merge_deliver_it_and_find_no_drift(hosted: Hosted) -> None:
    """Told on the merge commit and on the pull request that it came from, as a deployment and as statuses."""
    delivery, shop = hosted.delivery, hosted.delivery.shop
    name = delivery.environment
    delivery.start_worker()
    shop.merge("first")
    shop.services["frontend"]["version"] = "v1.3.0"
    head = hosted.push("raise the frontend")
    merged = shop.merge_branch(BRANCH)
    hosted.server.merge(NUMBER, merged)
    folder = hosted.checkout(merged)

    pushed = Event("push", {"after": merged}, merged, repository=REPOSITORY)
    await hosted.run("deliver", "deliver", event=pushed, folder=folder)

    assert await delivery.live() != {}
    assert hosted.newest(merged, f"adx/rollout/{name}")["description"] == "delivered"
    assert hosted.statuses(merged) == hosted.statuses(head) == {f"adx/rollout/{name}": "success"}
    [deployment] = hosted.server.state.deployments.values()
    assert (deployment["environment"], deployment["sha"]) == (name, merged)
    assert hosted.server.state.deployment_statuses[-1]["state"] == "success"

    scheduled = Event("schedule", {"schedule": "17 */6 * * *"}, merged, repository=REPOSITORY)
    drift = await hosted.run("drift", "drift", event=scheduled, folder=folder, inputs={"environments": ""})

    assert name in drift.step("Compare what was delivered with what is live").out
    assert hosted.statuses(merged) == {f"adx/rollout/{name}": "success", f"adx/drift/{name}": "success"}
