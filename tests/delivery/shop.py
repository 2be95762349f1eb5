"""A small company's repository for one test: an environment with a name of its own, merged into a bare remote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from policies.git_process import hardened_environment
from tests.support.declared import base_documents

WHO = {
    f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", "Ada"), ("EMAIL", "a@x"))
}


class Shop:
    """``documents[path]`` are the declarations as plain data; ``merge`` writes, commits and pushes them."""

    def __init__(self, folder: Path, environment: str) -> None:
        self.environment = environment
        self.remote, self.work = folder / "remote.git", folder / "work"
        self._git("init", "--quiet", "--bare", "--initial-branch", "main", str(self.remote), cwd=folder)
        self._git("init", "--quiet", "--initial-branch", "main", str(self.work), cwd=folder)
        self._git("remote", "add", "origin", str(self.remote))
        self.documents = _renamed(base_documents(), environment)

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """The services by name, to be changed in place."""
        listed = self.documents[f"environments/{self.environment}/services.yaml"]["services"]
        return {service["name"]: service for service in listed}

    @property
    def rules(self) -> dict[str, Any]:
        """environment.yaml, to be changed in place."""
        return self.documents[f"environments/{self.environment}/environment.yaml"]  # type: ignore[no-any-return] # plain data

    def merge(self, message: str) -> str:
        """Commit the documents as they are now and push; returns the commit id."""
        self._git("checkout", "--quiet", "-B", "main")
        return self._commit_and_push(message, "main")

    def propose(self, branch: str, message: str) -> str:
        """Commit the documents as they are now on ``branch``, from where the work stands, and push it."""
        self._git("checkout", "--quiet", "-B", branch)
        return self._commit_and_push(message, branch)

    def merge_branch(self, branch: str) -> str:
        """Merge ``branch`` with a merge commit, as a hosting's button does, and push; the merge commit."""
        self._git("checkout", "--quiet", "main")
        self._git("merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", branch)
        self._git("push", "--quiet", "origin", "main")
        return self._git("rev-parse", "HEAD")

    def start_from_main(self) -> None:
        """Let the next proposal start from the branch that is delivered."""
        self._git("checkout", "--quiet", "main")

    def write(self, path: str, text: str) -> None:
        """A file of the work that is no declaration of this class; committed with the next change."""
        (self.work / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work / path).write_text(text)

    def _commit_and_push(self, message: str, branch: str) -> str:
        for folder in ("environments", "tenants"):
            shutil.rmtree(self.work / folder, ignore_errors=True)
        for path, document in self.documents.items():
            file = self.work / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(document, sort_keys=False))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        self._git("push", "--quiet", "--force", "origin", f"HEAD:{branch}")
        return self._git("rev-parse", "HEAD")

    def rewind(self, commit: str) -> None:
        """Let the next merge continue from ``commit``: a force-push that drops what came after."""
        self._git("reset", "--quiet", "--hard", commit)

    def branches(self) -> dict[str, str]:
        """Branches of the remote and their commits."""
        lines = self._git("ls-remote", "--heads", "origin").splitlines()
        return {line.split("\t")[1].removeprefix("refs/heads/"): line.split("\t")[0] for line in lines}

    def show(self, revision: str, path: str) -> Any:
        """A document at ``revision`` of the remote, as plain data."""
        self._git("fetch", "--quiet", "origin", revision)
        return yaml.safe_load(self._git("show", f"FETCH_HEAD:{path}"))

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **hardened_environment(), **WHO}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.work, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


def _renamed(documents: dict[str, Any], environment: str) -> dict[str, Any]:
    """The base's development environment alone, under another name and in namespaces of its own."""
    kept: dict[str, Any] = {}
    for path, document in documents.items():
        if path.startswith("environments/production/"):
            continue
        if path.startswith("tenants/"):
            document["environments"] = [environment]
            document.pop("overrides", None)
        elif document["kind"] == "Environment":
            document |= {"name": environment, "namespace": f"shop-{environment}"}
        else:
            document["environment"] = environment
        kept[path.replace("environments/development/", f"environments/{environment}/")] = document
    return kept
