"""`adx validate`, `diff` and `deploy` on a real git repository with this repository's own declarations."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from temporalio.client import Client, WorkflowExecution

from policies.tree import FOLDERS
from tests.pipelines.command import ADX, SOURCE, Ran, adx, environment
from tests.support.local_stack import LocalStack


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder``."""
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: the declarations, and one service of staging in another version and one tenant less."""
    folder = tmp_path / "repository"
    for name in FOLDERS:
        shutil.copytree(SOURCE / name, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    services = folder / "environments" / "staging" / "services.yaml"
    version = yaml.safe_load(services.read_text())["services"][0]["version"]
    services.write_text(services.read_text().replace(f"version: {version}", "version: v0.99.0", 1))
    git(folder, "commit", "-q", "-a", "-m", "second")
    return folder


@pytest.fixture
def run(repository: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs `adx` in the repository."""
    return lambda *arguments: adx(*arguments, environ=environment(tmp_path / "home"), folder=repository)


def test_diff_shows_the_field_that_changed(run: Callable[..., Ran]) -> None:
    shown = run("diff", "staging", "HEAD~1", "HEAD")
    assert shown.code == 0
    assert "service.version" in shown.out
    assert '→ "v0.99.0"' in shown.out
    assert "1 unit: 1 to change" in shown.out


def test_diff_of_another_environment_is_empty(run: Callable[..., Ran]) -> None:
    assert json.loads(run("diff", "production", "HEAD~1", "--json").out)["changes"] == []


def test_diff_reads_commits_and_not_the_working_tree(run: Callable[..., Ran], repository: Path) -> None:
    (repository / "environments" / "staging" / "services.yaml").write_text("not: committed\n")
    assert json.loads(run("diff", "staging", "HEAD", "HEAD", "--json").out)["changes"] == []


@pytest.mark.parametrize("ref", ["nothing-of-this-name", "--upload-pack=touch /tmp/x", "-1", "HEAD..HEAD~1", ""])
def test_diff_of_what_is_no_commit_is_refused(run: Callable[..., Ran], ref: str) -> None:
    refused = run("diff", "staging", "HEAD", "--", ref)
    assert refused.code not in (0, 70)
    assert "Traceback" not in refused.err


def test_diff_of_an_unknown_environment_is_refused(run: Callable[..., Ran]) -> None:
    refused = run("diff", "nowhere", "HEAD~1")
    assert refused.code not in (0, 70)
    assert "nowhere" in refused.err


def test_diff_of_an_invalid_commit_says_to_validate(run: Callable[..., Ran], repository: Path) -> None:
    (repository / "environments" / "staging" / "services.yaml").write_text("kind: Nonsense\n")
    git(repository, "commit", "-q", "-a", "-m", "broken")
    refused = run("diff", "staging", "HEAD~1", "HEAD")
    assert refused.code == 3
    assert "adx validate" in refused.err


def test_validate_finds_what_is_wrong_in_files_and_not_in_the_commit(run: Callable[..., Ran], repository: Path) -> None:
    (repository / "environments" / "staging" / "services.yaml").write_text("kind: Nonsense\n")
    assert run("validate").code == 3
    assert run("validate", "--ref", "HEAD").code == 0
    assert json.loads(run("validate", "--json").out)["valid"] is False


def test_other_repository_is_validated_by_option(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "other" / "environments").mkdir(parents=True)
    shown = run("validate", "--json", "--repo", str(tmp_path / "other"))
    assert json.loads(shown.out)["files"] == 0


async def workflows_of(client: Client, queue: str) -> list[WorkflowExecution]:
    """The workflows that were started on ``queue``."""
    return [item async for item in client.list_workflows(f"TaskQueue='{queue}'")]


async def test_waiting_deploy_ends_with_ctrl_c_and_the_work_goes_on(
    local_stack: LocalStack, repository: Path, tmp_path: Path
) -> None:
    """Without a worker the command waits; interrupted, what it asked for stays in Temporal."""
    queue = f"queue-{uuid.uuid4().hex}"
    variables = {"ADX_TEMPORAL_ADDRESS": local_stack.temporal_address, "ADX_TASK_QUEUE": queue}
    process = await asyncio.create_subprocess_exec(
        *ADX,
        *("deploy", "staging", "--ref", "HEAD", "--watch"),
        env=environment(tmp_path / "home", **variables),
        cwd=repository,
        stderr=asyncio.subprocess.PIPE,
    )
    client = await Client.connect(local_stack.temporal_address)
    found = await workflows_of(client, queue)
    while not found and process.returncode is None:
        found = await workflows_of(client, queue)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert git(repository, "rev-parse", "HEAD")[:12] in found[0].id
    await client.get_workflow_handle(found[0].id).terminate()
