"""ADX's own bare copy of the delivered repository: fetch, ask about ancestry, push a prepared revert.

Bare only, no working tree, hardened as ``policies.git_process`` says. Each
method is one or a few short git processes.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

from policies.git_address import check_address
from policies.git_process import hardened_environment
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError, RolloutRefused

TIMEOUT_SECONDS = 60.0
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")


class GitFailed(AdxValidationError):
    """git refused; what it said is the message."""


class Mirror:
    """A bare copy at ``path`` of branch ``branch`` of the repository at ``address``."""

    def __init__(self, address: str, path: Path, branch: str) -> None:
        """Touches nothing yet. Raises AdxError for an address or branch that is not safe to use."""
        self.path = path
        self._address = check_address(address)
        self._branch = _checked_branch(branch)
        self._fetching = asyncio.Lock()

    async def fetch(self) -> str:
        """Bring the copy up to date; returns the commit id at the branch's head.

        Raises AdxConnectionError when the repository cannot be reached or has no such branch.
        """
        async with self._fetching:
            await self._ensure_created()
            refspec = f"+refs/heads/{self._branch}:refs/remotes/origin/{self._branch}"
            try:
                await self.run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", refspec)
            except GitFailed as error:
                raise AdxConnectionError(
                    f"branch {self._branch} of {self._address} cannot be fetched: {error}",
                    next_step="check ADX_REPO and ADX_BRANCH, and that the worker may read the repository",
                ) from error
            return await self.run("rev-parse", "--verify", "--end-of-options", self._head)

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` contains ``older``; False for a commit that is not known."""
        try:
            await self.run("merge-base", "--is-ancestor", "--end-of-options", older, newer)
        except GitFailed:
            return False
        return True

    async def check_contains(self, commit: str) -> None:
        """Raise RolloutRefused when ``commit`` is not on the branch."""
        if not await self.is_ancestor(commit, self._head):
            raise RolloutRefused(
                f"{commit[:12]} is not on branch {self._branch}", next_step=f"merge it into {self._branch} first"
            )

    async def check_fast_forward(self, delivered: str, commit: str) -> None:
        """Raise RolloutRefused when delivering ``commit`` would drop what ``delivered`` brought."""
        if not await self.is_ancestor(delivered, commit):
            raise RolloutRefused(
                f"{commit[:12]} does not contain {delivered[:12]}, which is delivered: the branch was rewritten",
                next_step="restore the branch, or `adx deploy --force` to deliver the rewritten history",
            )

    async def newest(self, commits: Sequence[str]) -> str:
        """Of ``commits``, all on the branch, the one that comes last in its history."""
        found = await self.run("rev-list", "--topo-order", "--no-walk=unsorted", "--end-of-options", *commits)
        newest = found.split("\n")[0]
        for commit in found.split("\n")[1:]:
            if await self.is_ancestor(newest, commit):
                newest = commit
        return newest

    async def run(self, *arguments: str, stdin: str = "", more_environment: dict[str, str] | None = None) -> str:
        """Run git in the copy; its output without the last line break. Raises GitFailed, AdxTimeoutError."""
        process = await asyncio.create_subprocess_exec(
            "git",
            "--git-dir",
            str(self.path),
            *arguments,
            env={**os.environ, **hardened_environment(), **(more_environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, said = await asyncio.wait_for(process.communicate(stdin.encode()), TIMEOUT_SECONDS)
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError):
                raise AdxTimeoutError(f"git {arguments[0]} gave no answer in {TIMEOUT_SECONDS:.0f} s") from None
            raise
        if process.returncode != 0:
            raise GitFailed(f"git {arguments[0]}: {said.decode(errors='replace').strip() or 'refused'}")
        return output.decode().rstrip("\n")

    @property
    def _head(self) -> str:
        return f"refs/remotes/origin/{self._branch}"

    async def _ensure_created(self) -> None:
        if not (self.path / "HEAD").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            await self.run("init", "--quiet", "--bare", str(self.path))
        await self.run("config", "remote.origin.url", self._address)


def _checked_branch(branch: str) -> str:
    if not _BRANCH.fullmatch(branch) or ".." in branch:
        raise AdxValidationError(f"{branch!r} is not the name of a branch", next_step="check ADX_BRANCH")
    return branch


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
