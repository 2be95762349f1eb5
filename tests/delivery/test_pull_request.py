"""A pull request from branch to merged and delivered, with the commands that CI runs, against a real local server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.delivery.delivery import Delivery
from tests.pipelines.command import Ran
from tests.support.github_server import GitHubServer

TOKEN = "canary-review-token-41d7"
NUMBER = 7


@dataclass
class Review:
    """One pull request: its branch in the shop's repository, and what CI runs for it."""

    delivery: Delivery
    server: GitHubServer
    branch: str = "topic"

    async def adx(self, *arguments: str, **settings: str) -> Ran:
        """Run the real command in the work tree, as a job of CI would."""
        environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **self.delivery.environ,
            **self.server.environment(TOKEN),
            "ADX_ACTOR": "ci",
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pipelines.cli", *arguments, env=environ, cwd=self.delivery.shop.work,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert TOKEN not in out.decode() + err.decode()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def push(self, message: str) -> str:
        """Commit the documents on the branch; the pull request's head moves, as GitHub would move it."""
        head = self.delivery.shop.propose(self.branch, message)
        self.server.push(NUMBER, head)
        return head

    async def preview(self, *more: str) -> Ran:
        """The preview job, then the job that comments."""
        report = str(self.delivery.folder / "report.json")
        done = await self.adx(
            "preview", "--base", "main", "--head", self.branch, "--output", report, "--report-to", "github",
            "--record", "--pull-request", str(NUMBER), *more,
        )  # fmt: skip
        if Path(report).exists():
            commented = await self.adx("comment", report, "--pull-request", str(NUMBER))
            assert commented.code == 0, commented.err
        return done

    def statuses(self, commit: str) -> dict[str, tuple[str, str]]:
        """State and description of the newest status of each context."""
        newest: dict[str, tuple[str, str]] = {}
        for status in self.server.state.statuses:
            if status["sha"] != commit:
                continue
            newest[status["context"]] = (status["state"], status["description"])
        return newest


@pytest.fixture
def review(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> Iterator[Review]:
    """A pull request that nobody has pushed to yet."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as server:
        server.add_token(TOKEN, "adx-robot")
        server.add_pull_request(NUMBER, "0" * 40, head_ref="topic")
        yield Review(delivery, server)


def policies(environment: str, *, most: int = 3, waived_until: str = "") -> str:
    """At most ``most`` replicas of any service; with a waiver for the frontend."""
    waiver = {"check": "ADX_K8S_13", "unit": "service/frontend", "owner": "ada", "reason": "a sale"}
    document: dict[str, Any] = {
        "apiVersion": "adx/v1",
        "kind": "Policies",
        "environments": {environment: {"replicas": {"max": most}}},
        "waivers": [waiver | {"expires": waived_until}] if waived_until else [],
    }
    return yaml.safe_dump(document)


async def test_a_pull_request_is_previewed_merged_and_delivered_as_it_was_reviewed(review: Review) -> None:
    """One comment, edited by the second push; statuses move; the rollout is bound to the plan that was shown."""
    delivery, shop = review.delivery, review.delivery.shop
    delivery.start_worker()
    shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    name = delivery.environment

    shop.rules["review"] = {"bind_plan": True}
    shop.services["frontend"]["version"] = "v1.3.0"
    first_head = review.push("raise the frontend")
    assert (await review.preview()).code == 0
    (first_comment,) = review.server.bodies(NUMBER)
    shop.services["frontend"]["version"] = "v1.4.0"
    second_head = review.push("raise it further")
    previewed = await review.preview()
    (second_comment,) = review.server.bodies(NUMBER)

    assert previewed.code == 0, previewed.out + previewed.err
    assert "v1.3.0" in first_comment
    assert "v1.4.0" in second_comment
    assert "v1.4.0" not in first_comment
    assert review.statuses(first_head)[f"adx/preview/{name}"][0] == "success"
    assert review.statuses(second_head)[f"adx/preview/{name}"][0] == "success"

    merged = shop.merge_branch(review.branch)
    review.server.merge(NUMBER, merged)
    delivered = await review.adx("deploy", "--ref", merged, "--watch", "--report-to", "github")

    assert delivered.code == 0, delivered.out + delivered.err
    assert f"as previewed for {second_head[:12]}, pull request {NUMBER}" in delivered.out
    for commit in (merged, second_head):
        assert review.statuses(commit)[f"adx/rollout/{name}"] == ("success", "delivered")
    (deployment,) = review.server.state.deployments.values()
    assert (deployment["environment"], deployment["sha"]) == (name, merged)
    assert review.server.state.deployment_statuses[-1]["state"] == "success"


async def test_what_nobody_previewed_is_not_applied_where_plans_are_bound(review: Review) -> None:
    """The rollout stops before the snapshot and says what moved; a preview of what is merged lets it go on."""
    delivery, shop = review.delivery, review.delivery.shop
    delivery.start_worker()
    shop.rules["review"] = {"bind_plan": True}
    shop.merge("first")
    assert (await delivery.deliver()).outcome == "refused"
    assert (await review.adx("preview", "--head", "main", "--record")).code == 0
    assert (await delivery.deliver(force=True)).outcome == "delivered"
    before = await delivery.live()

    shop.services["frontend"]["version"] = "v1.3.0"
    review.push("raise the frontend")
    assert (await review.preview()).code == 0
    shop.services["frontend"]["replicas"] = 3
    merged = shop.merge("something else was merged")
    refused = await delivery.deliver()

    assert (refused.outcome, refused.failed_step) == ("refused", "validate")
    assert "service/frontend: declared otherwise" in refused.failure
    assert await delivery.live() == before
    assert [step.status for step in refused.steps[1:]] == ["pending"] * (len(refused.steps) - 1)

    assert (await review.adx("preview", "--head", "main", "--record")).code == 0
    assert (await delivery.deliver(merged, force=True)).outcome == "delivered"


async def test_an_approval_before_the_last_push_does_not_count(review: Review) -> None:
    """The very commit that was previewed must have been approved."""
    delivery, shop = review.delivery, review.delivery.shop
    delivery.environ |= review.server.environment(TOKEN)
    delivery.start_worker()
    shop.merge("first")
    await delivery.deliver()
    shop.rules["review"] = {"bind_plan": True, "require_approved_head": True}
    shop.services["frontend"]["version"] = "v1.3.0"
    review.server.review(NUMBER, "ines", "APPROVED", review.push("raise the frontend"))
    shop.services["frontend"]["version"] = "v1.3.1"
    pushed_after = review.push("one more thing")
    await review.preview()
    merged = shop.merge_branch(review.branch)

    refused = await delivery.deliver(merged)
    review.server.review(NUMBER, "ines", "APPROVED", pushed_after)
    accepted = await delivery.deliver(merged, force=True)

    assert refused.outcome == "refused"
    assert "nobody approved that commit" in refused.failure
    assert accepted.outcome == "delivered"


async def test_a_policy_violation_blocks_and_only_a_waiver_of_the_base_branch_excuses_it(review: Review) -> None:
    """What the pull request itself says about policies does nothing; a waiver of the base passes until it expires."""
    shop, name = review.delivery.shop, review.delivery.environment
    today, file = datetime.now(UTC).date(), "policies/policies.yaml"
    valid = str(today + timedelta(days=1))  # midnight may pass meanwhile

    async def judged(base_policies: str, proposed_policies: str) -> tuple[Ran, dict[str, Any], str]:
        """What the policies say of eight replicas; the state of the status."""
        shop.services["frontend"]["replicas"] = 2
        shop.write(file, base_policies)
        shop.merge("the base branch")
        shop.services["frontend"]["replicas"] = 8
        shop.write(file, proposed_policies)
        head = review.push("many more replicas")
        done = await review.adx("policy", "--base", "main", "--head", review.branch, "--report-to", "github", "--json")
        (finding,) = [one for one in json.loads(done.out)["findings"][name] if one["check"] == "ADX_K8S_13"]
        return done, finding, review.statuses(head)["adx/policy"][0]

    done, finding, status = await judged(policies(name), policies(name, most=20, waived_until=valid))
    assert (done.code, finding["is_blocking"], status) == (1, True, "failure")
    assert (finding["file"], finding["path"]) == (f"environments/{name}/services.yaml", "services[0].replicas")
    assert finding["line"] > 0
    blocked = await review.preview()
    assert blocked.code == 1
    assert "ADX_K8S_13" in review.server.bodies(NUMBER)[0]
    assert f"{file} is edited here" in review.server.bodies(NUMBER)[0].replace("\\", "")

    waived = policies(name, waived_until=valid)
    done, finding, status = await judged(waived, waived)
    assert (done.code, finding["is_blocking"], status) == (0, False, "success")

    expired = policies(name, waived_until=str(today - timedelta(days=1)))
    done, finding, status = await judged(expired, expired)
    assert (done.code, finding["is_waiver_expired"], status) == (1, True, "failure")


async def test_a_preview_while_a_rollout_runs_says_that_its_base_may_move(review: Review) -> None:
    """Here one waits for approval; it is neither disturbed nor hidden."""
    delivery, shop = review.delivery, review.delivery.shop
    delivery.start_worker()
    shop.merge("first")
    await delivery.deliver()
    shop.rules["approval"] = {"required": True, "approvers": ["ines"]}
    shop.services["frontend"]["replicas"] = 3
    shop.merge("more replicas")
    await delivery.submit()
    waiting = await delivery.until(lambda live: bool(live.rollout and live.rollout.waiting_for_approval))
    shop.services["frontend"]["version"] = "v1.3.0"
    review.push("raise the frontend")

    done = await review.adx("preview", "--base", "main", "--head", review.branch)

    assert done.code == 0, done.out + done.err
    assert "A rollout is under way" in " ".join(done.out.split())
    assert waiting.rollout is not None
    now = await delivery.workflows.status(delivery.environment)
    assert now.environment.current == waiting.rollout.rollout_id


async def test_an_unreachable_cluster_is_told_and_fails(review: Review) -> None:
    """Pulumi could plan by what it remembers: that would look like the truth."""
    delivery, shop = review.delivery, review.delivery.shop
    shop.merge("first")
    shop.services["frontend"]["version"] = "v1.3.0"
    head = review.push("raise the frontend")
    config = yaml.safe_load(Path(delivery.environ["KUBECONFIG"]).read_text())
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    away = delivery.folder / "away.kubeconfig"
    away.write_text(yaml.safe_dump(config))
    delivery.environ["KUBECONFIG"] = str(away)

    done = await review.preview()

    assert done.code == 1
    (comment,) = review.server.bodies(NUMBER)
    assert "127.0.0.1:1" in comment or "cannot be reached" in comment
    state, description = review.statuses(head)[f"adx/preview/{delivery.environment}"]
    assert state == "failure"
    assert "could not be checked" in description
