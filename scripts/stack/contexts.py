"""One context of the user's own kubeconfig, alone in a file of ours: no other cluster can be reached through it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import StackError
from scripts.stack.files import write_private

_PATH_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def write_kubeconfig_of_context(name: str, kubeconfig: Path | None, target: Path) -> None:
    """Write the context ``name`` with its cluster and user, and nothing else, to ``target``, mode 0600.

    ``kubeconfig`` defaults to the files in $KUBECONFIG, then ``~/.kube/config``.
    StackError when the context, its cluster or its user is not there.
    """
    files = _files(kubeconfig)
    context = _find(files, "contexts", name)
    cluster = _find(files, "clusters", context["context"]["cluster"])
    user = _find(files, "users", context["context"]["user"])
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [context],
        "clusters": [cluster],
        "users": [user],
    }
    write_private(target, yaml.safe_dump(config, sort_keys=False))


def _files(kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig]
    named = [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return [path for path in named or [Path.home() / ".kube" / "config"] if path.is_file()]


def _find(files: list[Path], section: str, name: str) -> dict[str, Any]:
    """The first entry of that name, as kubectl would find it, its relative paths made absolute."""
    known: list[str] = []
    for file in files:
        for entry in _entries(file, section):
            if entry.get("name") == name:
                return _with_absolute_paths(entry, file.parent)
            known.append(str(entry.get("name")))
    where = ", ".join(map(str, files)) or "no kubeconfig file"
    raise StackError(
        f"{where} has no entry {name!r} among its {section}",
        next_step=f"choose one of: {', '.join(sorted(known))}" if known else "set KUBECONFIG to the right file",
    )


def _entries(file: Path, section: str) -> Iterable[dict[str, Any]]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StackError(f"{file} cannot be read as a kubeconfig: {error}", next_step="correct the file") from error
    return (content.get(section) or []) if isinstance(content, dict) else []


def _with_absolute_paths(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    def absolute(body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {
            key: str((folder / value).absolute()) if key in _PATH_FIELDS and isinstance(value, str) else value
            for key, value in body.items()
        }

    return {key: absolute(value) for key, value in entry.items()}
