"""The one scene that documented commands run in: a repository, its own ledger and state, a worker, two deliveries."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import Namespace
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.service import RPCError

from policies.configuration.values import ConfigurationKey, ConfigurationValue
from tests.documented.declared import ENVIRONMENTS, Declared, copy_repository
from tests.documented.pages import ROOT
from tests.documented.places import Places
from tests.documented.running import Ran, adx
from tests.support.local_stack import LocalStack
from workflows.configuration.models import Author, Write
from workflows.configuration.repository import ConfigurationStore
from workflows.connection import connect

TOKEN = "the-token-of-the-pages"
WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ines Keller"), ("EMAIL", "ines.keller@boutique.example"))
}
# Whoever writes a script writes what the sample has under this name.
EDITOR = f"""#!/bin/sh
for file in "$@"; do cp "{ROOT}/$file" "$file"; done
"""


@dataclass
class Scene:
    """``work`` is the checkout that is delivered; ``environ`` are all variables of whoever types."""

    folder: Path
    environ: dict[str, str] = field(repr=False)
    places: Places
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """The checkout, on ``main`` between two commands."""
        return self.folder / "work"

    @property
    def declared(self) -> Declared:
        """The declarations of ``work``."""
        return Declared(self.work)

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git in ``work``; its output."""
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=folder or self.work, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        """Commit what ``work`` holds to the branch that is checked out."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def clone(self, name: str) -> Path:
        """A clone of its own with the branches that the pages name, where the proposal is checked out."""
        target = self.folder / "clones" / name
        who = [f"--config=user.{key}={WHO[f'GIT_AUTHOR_{key.upper()}']}" for key in ("name", "email")]
        self.git("clone", "--quiet", *who, str(self.work), str(target), folder=self.folder)
        for branch in ("spring-release", "my-branch"):  # the last one stays checked out
            self.git("checkout", "--quiet", "--track", f"origin/{branch}", folder=target)
        self.add_environment(target)
        return target

    def add_environment(self, folder: Path) -> None:
        """Python's environment, which `make setup` leaves in a checkout and git does not see."""
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / ".git/info/exclude").write_text(".venv\n")

    def adx(self, *arguments: str, folder: Path | None = None, stdin: str = "") -> Ran:
        """Run `adx` in ``work``, or in ``folder``."""
        return adx(arguments, self.environ, folder or self.work, stdin)

    def has(self, *arguments: str) -> Ran:
        """Run `adx`, which must succeed."""
        ran = self.adx(*arguments)
        assert ran.code == 0, f"adx {' '.join(arguments)} ended with {ran.code}:\n{ran.out}{ran.err}\n{self.logs()}"
        return ran

    def start_worker(self) -> None:
        """A worker process of the scene's own."""
        with (self.folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "pipelines.cli", "worker", "--listen", "127.0.0.1:0"]
            worker = subprocess.Popen(
                command, env=self.environ, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        self.workers.append(worker)

    def end(self) -> None:
        """End the worker."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(30)

    def logs(self) -> str:
        """The last that the worker has logged."""
        lines = (self.folder / "worker.log").read_text(errors="replace").splitlines()[-20:]
        return "\n".join(line[:500] for line in lines)


def environ_of(stack: LocalStack, ledger_url: str, database_urls: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of whoever types a command: those of the stack, and the scene's own.

    ``database_urls`` lead to the server of each environment.
    """
    home = folder / "home"
    kept = {name: os.environ[name] for name in ("LANG", "ADX_CACHE_DIR") if name in os.environ}
    cache = {"ADX_CACHE_DIR": str(Path.home() / ".cache" / "adx")}
    name = f"documented-{uuid.uuid4().hex[:8]}"
    return {
        **cache,
        **kept,
        **{key: value for key, value in stack.environment.items() if not key.startswith("ADX_DATABASE_")},
        **WHO,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "COLUMNS": "100",
        "ADX_HOME": str(folder / "adx"),
        "ADX_REPO": str(folder / "work"),
        "ADX_TASK_QUEUE": name,
        # Workflows are called after their environments: those of a namespace of its own meet nobody else's.
        "ADX_TEMPORAL_NAMESPACE": name,
        "ADX_LEDGER_URL": ledger_url,
        **{f"ADX_DATABASE_{name.upper()}_URL": url for name, url in database_urls.items()},
        "ADX_MIGRATE_SCRATCH_URL": database_urls["staging"],
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "PULUMI_BACKEND_URL": (folder / "pulumi").as_uri(),
        "ADX_CONFIGURATION_GRANTS_FILE": str(folder / "grants.json"),
        "ADX_POLL_SECONDS": "0",
        "EDITOR": str(folder / "editor"),
        "ADX_ACTOR": "ines.keller",
    }


def remove_namespaces(environ: Mapping[str, str]) -> None:
    """Begin to remove what both environments have in the cluster: all tests share the room on its nodes."""
    config = KubeConfig.from_file(environ["KUBECONFIG"]).get(context_name=environ["ADX_KUBE_CONTEXT"])
    client = Client(config=config)
    for name in ENVIRONMENTS:
        for namespace in client.list(Namespace, labels={"adx/environment": name}):
            assert namespace.metadata is not None
            client.delete(Namespace, str(namespace.metadata.name))


async def register_namespace(environ: Mapping[str, str]) -> None:
    """Make the scene's namespace, and wait until Temporal has heard of it everywhere."""
    client = await connect({**environ, "ADX_TEMPORAL_NAMESPACE": "default"})
    name, kept = environ["ADX_TEMPORAL_NAMESPACE"], Duration(seconds=86_400)
    asked = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=kept)
    await client.workflow_service.register_namespace(asked)
    own = await connect(environ)
    while True:
        with contextlib.suppress(RPCError):
            await own.count_workflows()
            return
        await asyncio.sleep(0.1)


def prepare(scene: Scene, database: str) -> None:
    """The repository with its branches, and both environments delivered; tenants' rows are in ``database``."""
    for name in ("home", "pulumi", "snapshots", "run/secrets", "adx"):
        (scene.folder / name).mkdir(parents=True)
    (scene.folder / "run/secrets/flags-token").write_text(TOKEN)
    (scene.folder / "home/.curlrc").write_text("fail-with-body\nno-progress-meter\n")
    (scene.folder / "editor").write_text(EDITOR)
    (scene.folder / "editor").chmod(0o700)
    scene.work.mkdir()
    scene.git("init", "--quiet", "--initial-branch=main")
    for key in ("name", "email"):
        scene.git("config", f"user.{key}", WHO[f"GIT_AUTHOR_{key.upper()}"])
    copy_repository(scene.work)
    scene.add_environment(scene.work)
    scene.declared.prepare(database=database)
    scene.commit("Declare the shop")
    asyncio.run(register_namespace(scene.environ))
    scene.start_worker()
    scene.has("deploy", *ENVIRONMENTS, "--watch")


def propose(scene: Scene) -> None:
    """The branches that the pages name, which change something, and a pull request of a fork."""
    scene.git("checkout", "--quiet", "-b", "my-branch")
    scene.declared.raise_version("staging", "frontend", "v0.11.0")
    scene.commit("Raise the frontend")
    for name in ("refs/heads/spring-release", "refs/pull/123/head"):
        scene.git("update-ref", name, "my-branch")
    scene.git("checkout", "--quiet", "main")


async def keep_values(scene: Scene) -> None:
    """A value that was delivered in several versions, and who may read it by HTTP."""
    grant = {"name": "frontend", "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "tenants": ["*"]}
    grant |= {name: ["*"] for name in ("namespaces", "environments", "services")}
    Path(scene.environ["ADX_CONFIGURATION_GRANTS_FILE"]).write_text(json.dumps([grant]))
    key = ConfigurationKey(
        namespace="boutique-staging", environment="staging", service="frontend", key="PAGE_SIZE", tenant_id=None
    )
    async with ConfigurationStore(scene.environ["ADX_LEDGER_URL"]) as store:
        await store.migrate()
        for number in range(4):
            wanted = Write(key=key, value=ConfigurationValue(value=12 * (number + 1)))
            await store.write([wanted], Author(by="ines.keller", change_id=f"change-{number}"))
