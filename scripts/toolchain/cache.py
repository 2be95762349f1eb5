"""The user's cache of built tools: where each lies, and how one is put there.

::

    <cache>/tools/<name>/<version>-<digest>-<platform>/<name>     a finished tool, never changed
    <cache>/go/<platform>/                                         Go from PyPI, in an environment of its own
    <cache>/bin/<digest>/                                          links to the tools that Pulumi looks for on PATH
    <cache>/python/<name>/<version>-<digest>-<platform>-<python>/  a Python tool in an environment of its own
    <cache>/building/                                              builds under way; emptied under the lock
    <cache>/installing/                                            the same for Python tools, under a lock of their own
    <cache>/logs/<name>.log                                        the last build of each tool

``ADX_CACHE_DIR`` puts it elsewhere.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from scripts.toolchain.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Cache:
    """Folders of the cache under ``root``; nothing is created before it is needed."""

    root: Path

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> Cache:
        """The cache that ``ADX_CACHE_DIR`` names, else the platform's cache folder for ``adx``."""
        chosen = environ.get("ADX_CACHE_DIR")
        return cls(Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("adx"))

    @property
    def lock_file(self) -> Path:
        """Held by whoever builds: one build at a time, whatever the number of processes."""
        return self.root / "build.lock"

    @property
    def go_folder(self) -> Path:
        """The environment that holds Go from PyPI."""
        return self.root / "go" / platform_key()

    @property
    def building_folder(self) -> Path:
        """Unfinished builds; whatever lies here while nobody holds the lock is left over."""
        return self.root / "building"

    @property
    def install_lock_file(self) -> Path:
        """Held by whoever installs a Python tool: seconds of work must not wait for a long build."""
        return self.root / "install.lock"

    @property
    def installing_folder(self) -> Path:
        """Unfinished environments of Python tools; emptied under their lock."""
        return self.root / "installing"

    def tool_folder(self, recipe: Recipe) -> Path:
        """Where the finished tool of exactly this recipe lies, built or not."""
        return self.root / "tools" / recipe.name / f"{recipe.version}-{recipe.digest}-{platform_key()}"

    def find(self, recipe: Recipe) -> Path | None:
        """The binary of ``recipe`` if it has been built."""
        binary = self.tool_folder(recipe) / recipe.name
        return binary if binary.is_file() else None

    def log_file(self, name: str) -> Path:
        """The log of the last build of ``name``."""
        return self.root / "logs" / f"{name}.log"

    def link_folder(self, files: Iterable[Path]) -> Path:
        """One folder with a link to each of ``files``; the same files give the same folder."""
        targets = sorted({file.absolute() for file in files})
        digest = hashlib.sha256("\n".join(map(str, targets)).encode()).hexdigest()[:12]
        folder = self.root / "bin" / digest
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=folder.parent))
            for target in targets:
                (temporary / target.name).symlink_to(target)
            temporary.chmod(0o755)
            move_into_place(temporary, folder)
        return folder


def platform_key() -> str:
    """Operating system and processor of this machine, for example ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine().lower()}"


def move_into_place(finished: Path, target: Path) -> None:
    """Rename the folder ``finished`` to ``target`` in one step; if somebody was faster, theirs stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        finished.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(finished)
