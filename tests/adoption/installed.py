"""ADX as a package: its wheel, built and installed into an environment that does not know the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "adopting.md"
_FILE = re.compile(r"`([\w./-]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
# Our dependencies as they are, not installed again: a path file adds their folder, and reads no other path file in it,
# so that the editable ADX there stays unknown.
_DEPENDENCIES = sysconfig.get_path("purelib")


@dataclass(frozen=True)
class Installed:
    """An environment with ADX installed from its wheel."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *what: str | Path) -> None:
        """Install wheels or source trees from this machine alone, without their dependencies."""
        uv = Path(sysconfig.get_path("scripts")) / "uv"
        options = ("--quiet", "--offline", "--no-cache", "--no-deps", "--no-build-isolation", "--python", self.python)
        _run([uv, "pip", "install", *options, *what])

    def adx(self, *arguments: str, folder: Path, environ: Mapping[str, str], code: int = 0) -> str:
        """The standard output of `adx`, run in ``folder``; it must end with ``code``."""
        return _run([self.folder / "bin" / "adx", *arguments], cwd=folder, env=dict(environ), code=code)

    def path(self, *more: str) -> str:
        """PATH of somebody who has activated the environment."""
        return os.pathsep.join([*filter(None, more), str(self.folder / "bin"), os.environ["PATH"]])


def install_wheel(folder: Path) -> Installed:
    """Build the wheel of this checkout and install it in a new environment below ``folder``."""
    wheels = folder / "wheels"
    _run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", wheels], cwd=ROOT)
    _run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"])
    (wheel,) = wheels.glob("*.whl")
    installed = Installed(folder / "venv", wheel)
    (site,) = installed.folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{_DEPENDENCIES}\n")
    installed.install(wheel)
    return installed


def files_of_guide() -> dict[str, str]:
    """The files that the guide shows, by their paths."""
    return dict(_FILE.findall(GUIDE.read_text("utf-8")))


def _run(
    command: list[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None, code: int = 0
) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, (
        f"{command} ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    )
    return done.stdout
