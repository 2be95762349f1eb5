"""A reviewer's plain ``pulumi preview`` in a checkout, against the stack that ADX delivers to."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.engine import Engine, EngineSettings, Plan
from policies.desired_state import DesiredState, resolve
from policies.git_tree import GitTree
from policies.loader import load
from tests.engine.cluster import Cluster
from tests.support.desired import desired_state, platform_unit, service_unit, tenant_unit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reviewer_environ(engine_environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What a reviewer has set: the settings that ``adx env`` prints, and the tools on the path."""
    tools = [engine_environ.get("ADX_TOOLCHAIN_PATH", ""), str(Path(sys.executable).parent), engine_environ["PATH"]]
    return engine_environ | {
        "PATH": os.pathsep.join(filter(None, tools)),
        "PULUMI_HOME": str(tmp_path / "reviewer"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


@pytest.fixture
async def checkout(tmp_path: Path, environment: str, reviewer_environ: dict[str, str]) -> Path:
    """A clone of this repository in which ``development`` goes by the test's own name."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Pulumi.yaml", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.copytree(ROOT / "environments", folder / "environments", ignore=shutil.ignore_patterns("Pulumi.*"))
    (folder / "environments/development").rename(folder / "environments" / environment)
    shutil.copytree(ROOT / "tenants", folder / "tenants")
    for path in [*(folder / "environments").rglob("*.yaml"), *(folder / "tenants").glob("*.yaml")]:
        rename_environment(path, environment)
    await git(folder, reviewer_environ, "init", "-q", "-b", "main")
    await commit(folder, reviewer_environ, "Begin")
    return folder


def rename_environment(path: Path, environment: str) -> None:
    """Let the declaration speak of ``environment`` instead of development."""
    path.write_text(path.read_text().replace("development", environment))


async def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """The standard output of a command that succeeds."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, out.decode()[-3000:] + err.decode()[-3000:]
    return out.decode()


async def git(folder: Path, environ: dict[str, str], *arguments: str) -> str:
    """Run git in the checkout."""
    return await run(["git", "-c", "user.name=r", "-c", "user.email=r@example.com", *arguments], folder, environ)


async def commit(folder: Path, environ: dict[str, str], message: str) -> str:
    """Commit everything; the new commit."""
    await git(folder, environ, "add", "-A")
    await git(folder, environ, "commit", "-q", "-m", message)
    return (await git(folder, environ, "rev-parse", "HEAD")).strip()


async def cli_preview(folder: Path, environ: dict[str, str], stack: str) -> dict[str, str]:
    """What ``pulumi preview`` would do: URN → action, resources that stay the same left out."""
    digest: dict[str, Any] = json.loads(
        await run(["pulumi", "preview", "--json", "--non-interactive", "--stack", stack], folder, environ)
    )
    return {step["urn"]: step["op"] for step in digest["steps"] if step["op"] not in ("same", "read")}


def actions(plan: Plan) -> dict[str, str]:
    """The same of ADX's own preview."""
    return {change.urn: change.action for change in plan.changes}


async def test_the_plain_cli_plans_what_adx_plans_for_the_same_inputs(
    engine: Engine, environment: str, checkout: Path, reviewer_environ: dict[str, str], tmp_path: Path
):
    """Given one desired state, then both previews name the same resources and actions."""
    await engine.up(desired_state(environment))
    state = desired_state(
        environment,
        platform_unit(environment, checkout_enabled=False),
        service_unit(environment, LOG_LEVEL="debug"),
        tenant_unit(environment, name="globex"),
    )
    inputs = tmp_path / "state.json"
    inputs.write_bytes(msgspec.json.encode(state))

    by_cli = await cli_preview(checkout, reviewer_environ | {"ADX_STACK_INPUTS": str(inputs)}, environment)

    expected = actions(await engine.preview(state))
    assert set(expected.values()) == {"create", "update", "delete"}
    assert by_cli == expected


async def test_a_reviewers_checkout_plans_what_a_merge_of_it_would_deliver(
    engine: Engine, environment: str, checkout: Path, reviewer_environ: dict[str, str]
):
    """Given a delivered commit, when a later one changes one service, then the checkout's preview shows only that."""
    delivered = resolved(checkout, environment)
    await engine.up(delivered)
    services = checkout / "environments" / environment / "services.yaml"
    services.write_text(services.read_text().replace("replicas: 1", "replicas: 2", 1))
    await commit(checkout, reviewer_environ, "Raise the replicas of one service")

    by_cli = await cli_preview(checkout, reviewer_environ, environment)

    plan = await engine.preview(resolved(checkout, environment, delivered))
    assert by_cli == actions(plan)
    assert len({change.unit for change in plan.changes}) == 1
    assert await git(checkout, reviewer_environ, "status", "--porcelain") == ""


def resolved(checkout: Path, environment: str, previous: DesiredState | None = None) -> DesiredState:
    """The desired state at HEAD of the checkout."""
    tree = GitTree.open(checkout, "HEAD")
    return resolve(load(tree), environment, tree.commit or "", previous)


async def test_a_reviewer_may_begin_a_stack_that_adx_goes_on_with(
    settings: EngineSettings, environment: str, checkout: Path, reviewer_environ: dict[str, str], cluster: Cluster
):
    """The salt of a stack stands in its state, so that both can use it with the same passphrase."""
    Path(settings.backend_url.removeprefix("file://")).mkdir()
    init = ["pulumi", "stack", "init", environment, "--non-interactive", "--secrets-provider", "passphrase"]
    await run(init, checkout, reviewer_environ)
    state = desired_state(environment, platform_unit(environment))

    await Engine(settings, environment).up(state)

    assert (await Engine(settings, environment).preview(state)).is_empty
    assert await git(checkout, reviewer_environ, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "variables",
    [{"ADX_KUBE_CONTEXT": ""}, {"PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_CONFIG_PASSPHRASE_FILE": ""}],
    ids=["an unnamed cluster", "an empty passphrase"],
)
async def test_what_would_be_dangerous_is_refused_without_a_traceback(
    engine: Engine, environment: str, checkout: Path, reviewer_environ: dict[str, str], variables: dict[str, str]
):
    """A cluster that nobody named is never touched, and an empty passphrase protects nothing."""
    await engine.preview(desired_state(environment))
    inputs = checkout.parent / "state.json"
    inputs.write_bytes(msgspec.json.encode(desired_state(environment)))

    with pytest.raises(
        AssertionError, match=r"ADX_KUBE_CONTEXT is not set|PULUMI_CONFIG_PASSPHRASE is empty"
    ) as refused:
        await cli_preview(checkout, reviewer_environ | {"ADX_STACK_INPUTS": str(inputs)} | variables, environment)

    assert "Traceback" not in str(refused.value)
