"""Git repositories for tests, made without a working tree, so that they can hold what no checkout could."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.tree import MODE_SUBMODULE, MODE_SYMLINK

BASE = Path(__file__).parents[1] / "support" / "base_declarations"


@dataclass(frozen=True)
class Special:
    """An entry that is no plain file: a link to ``target``, or a submodule at the commit ``target``."""

    mode: int
    target: str


def symlink(target: str) -> Special:
    """A symbolic link."""
    return Special(MODE_SYMLINK, target)


def submodule() -> Special:
    """A submodule at some commit."""
    return Special(MODE_SUBMODULE, "1" * 40)


Files = Mapping[str, bytes | Special]


class Repository:
    """A bare repository whose commits are written by ``git fast-import``."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.git("init", "--quiet", "--bare", "--initial-branch=main")

    def commit(self, files: Files, *, parents: tuple[str, ...] = (), branch: str = "main") -> str:
        """Commit exactly ``files`` on ``branch``, moving it there; the full commit id."""
        lines = [f"commit refs/heads/{branch}", "committer Test <test@localhost> 0 +0000", "data 4", "test"]
        lines += [f"{'from' if number == 0 else 'merge'} {parent}" for number, parent in enumerate(parents)]
        body = "\n".join([*lines, "deleteall"]).encode() + b"\n"
        for path, content in files.items():
            body += _change(path, content)
        self.git("fast-import", "--quiet", "--force", stdin=body)
        return self.git("rev-parse", f"refs/heads/{branch}")

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """What git prints; raises CalledProcessError when it fails."""
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        environ |= {f"GIT_{role}_NAME": "Test" for role in ("AUTHOR", "COMMITTER")}
        environ |= {f"GIT_{role}_EMAIL": "test@localhost" for role in ("AUTHOR", "COMMITTER")}
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], input=stdin, capture_output=True, check=True, env=environ
        )
        return done.stdout.decode().strip()


def _change(path: str, content: bytes | Special) -> bytes:
    if isinstance(content, bytes):
        return f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
    if content.mode == MODE_SUBMODULE:
        return f"M 160000 {content.target} {path}\n".encode()
    return f"M 120000 inline {path}\ndata {len(content.target)}\n{content.target}\n".encode()


def base_files() -> dict[str, bytes]:
    """A small valid repository: two environments, two tenants."""
    return {path.relative_to(BASE).as_posix(): path.read_bytes() for path in sorted(BASE.rglob("*.yaml"))}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """``files`` below ``folder``."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
