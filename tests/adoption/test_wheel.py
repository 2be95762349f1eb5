"""A company's repository, delivered by ADX as a package: what the guide on adopting promises, from the wheel on."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from policies.git_process import hardened_environment
from tests.adoption.installed import Installed, files_of_guide, install_wheel
from tests.delivery.delivery import Delivery, opened
from tests.delivery.shop import WHO
from tests.support.local_stack import LocalStack

HOSTILE = 'raise SystemExit("imported from the repository")\n'
PACKAGES = ("infra", "pipelines", "policies", "scripts", "workflows")


@pytest.fixture
async def delivery(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[Delivery]:
    """A delivery of this test's own, whose repository ``adx init`` will make."""
    settings = local_stack.environment | {"ADX_LEDGER_URL": ledger_url}
    async with opened(settings, tmp_path, uuid.uuid4().hex[:8]) as own:
        own.environ["ADX_REPO"] = str(tmp_path / "repository")
        yield own


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", **hardened_environment(), **WHO}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str) -> None:
    """Write ``files`` and commit everything."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def start_worker(delivery: Delivery, installed: Installed, folder: Path, environ: dict[str, str]) -> None:
    """A worker of the package, started in the repository as the local stack starts its own."""
    command = [str(installed.python), "-P", "-m", "pipelines.cli", "worker", "--listen", "127.0.0.1:0"]
    with (delivery.folder / "worker-0.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    delivery.workers.append(process)


async def test_a_new_repository_is_delivered_by_the_package_with_its_own_components_and_policies(
    delivery: Delivery, tmp_path: Path
) -> None:
    """Given the wheel alone, when a repository made by it is delivered, then what its owners added is there as well.

    The repository holds packages that are called as ADX's are; whoever imports one of them ends at once.
    """
    installed, repository, stack = install_wheel(tmp_path), tmp_path / "repository", delivery.environment
    toolchain = delivery.environ.get("ADX_TOOLCHAIN_PATH", "")
    environ = {**delivery.environ, "PATH": installed.path(toolchain), "HOME": os.environ["HOME"]}
    wanted = ("repository", "--name", f"a{stack}", "-e", stack, "--package", str(installed.wheel))
    installed.adx("init", *wanted, folder=tmp_path, environ=environ)
    installed.install("--reinstall", "--require-hashes", "--requirement", repository / "requirements.in")
    commit(repository, {f"{name}/__init__.py": HOSTILE for name in PACKAGES} | files_of_guide(), "Begin")
    installed.install(repository / "components")

    installed.adx("validate", "--ref", "HEAD", folder=repository, environ=environ)
    start_worker(delivery, installed, repository, environ)
    installed.adx("deploy", stack, "--watch", folder=repository, environ=environ)

    found = await delivery.cluster.live_objects(f"adx/environment={stack},app.kubernetes.io/component=support")
    assert [(item["metadata"]["namespace"], item["data"]) for item in found] == [
        (f"{stack}-tenant-example", {"name": "Example", "contact": f"team-a{stack}"})
    ]

    git(repository, "checkout", "--quiet", "-b", "change")
    commit(repository, {f"environments/{stack}/configuration.yaml": configuration(stack)}, "Greet otherwise")
    arguments = ("--base", "main", "--head", "change", "--json")
    report = json.loads(installed.adx("preview", *arguments, folder=repository, environ=environ))
    assert [row["unit"] for row in report["environments"][0]["units"]] == ["service/hello"]
    assert "SHOP_1" in {one["check"] for one in report["environments"][0]["findings"]}

    git(repository, "checkout", "--quiet", "main")
    assert by_hand(repository, environ, tmp_path, stack) == set()


def configuration(environment: str) -> str:
    """Another greeting."""
    return f"apiVersion: adx/v1\nkind: Configuration\nenvironment: {environment}\nvalues:\n  hello:\n    GREETING: Hi\n"


def by_hand(repository: Path, environ: dict[str, str], home: Path, stack: str) -> set[str]:
    """What plain ``pulumi preview`` would do."""
    more = {"PULUMI_HOME": str(home / "reviewer"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    command = ["pulumi", "preview", "--json", "--non-interactive", "--stack", stack]
    done = subprocess.run(command, cwd=repository, env=environ | more, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {step["op"] for step in json.loads(done.stdout)["steps"]} - {"same", "read"}
