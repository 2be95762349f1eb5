"""From kubeconfig files to what is needed to connect. Reads files; contacts nobody, runs nothing.

Several files (``a:b``, as kubectl takes them) are one, where the first to name
something wins.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from workflows.clients.kubernetes.errors import KubeconfigRefused

LARGEST_FILE_BYTES = 1024 * 1024
DEFAULT_PATH = "~/.kube/config"
ALLOW_EXEC = "ADX_ALLOW_KUBECONFIG_EXEC"


class ExecPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints a token."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one cluster, as one user. Certificates and keys are PEM."""

    server: str
    ca: str | None = None
    server_name: str | None = None
    proxy: str | None = None
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    token: str | None = None
    token_file: Path | None = None
    exec_plugin: ExecPlugin | None = None

    def __repr__(self) -> str:
        """Without credentials: they must not reach a log."""
        return f"Access({self.server})"


class _Named:
    """The named items of all files: name → (item, folder that its relative paths start from)."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[Mapping[str, Any], Path]] = {}

    def add(self, document: Mapping[str, Any], group: str, inner: str, folder: Path) -> None:
        for item in document.get(group) or ():
            self.items.setdefault(str(item["name"]), (item.get(inner) or {}, folder))

    def get(self, kind: str, name: str) -> tuple[Mapping[str, Any], Path]:
        if name not in self.items:
            known = ", ".join(sorted(self.items)) or "none"
            raise KubeconfigRefused(f"the kubeconfig has no {kind} {name!r}; it has: {known}")
        return self.items[name]


def load(paths: str | None, context: str | None, environ: Mapping[str, str]) -> Access:
    """What ``context`` (default: the current one) of the kubeconfig files ``paths`` says.

    Without paths, kubectl's own file. Raises KubeconfigRefused.
    """
    chosen_paths = [Path(part) for part in (paths or DEFAULT_PATH).split(os.pathsep) if part]
    documents = [(_read(path.expanduser()), path.expanduser().parent) for path in chosen_paths]
    contexts, clusters, users = _Named(), _Named(), _Named()
    for document, folder in documents:
        contexts.add(document, "contexts", "context", folder)
        clusters.add(document, "clusters", "cluster", folder)
        users.add(document, "users", "user", folder)
    wanted = context or next((str(found) for d, _ in documents if (found := d.get("current-context"))), "")
    if not wanted:
        raise KubeconfigRefused(
            "the kubeconfig has no current context and none was named", next_step="set ADX_KUBE_CONTEXT"
        )
    chosen, _ = contexts.get("context", wanted)
    cluster = clusters.get("cluster", str(chosen.get("cluster", "")))
    user = users.get("user", str(chosen["user"])) if chosen.get("user") else ({}, Path())
    return _access(cluster, user, environ)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise KubeconfigRefused(f"the kubeconfig {path} is larger than {LARGEST_FILE_BYTES} bytes")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # Without the parser's text: it quotes the file, which holds credentials.
        raise KubeconfigRefused(
            f"the kubeconfig {path} cannot be read ({type(error).__name__})", next_step="check KUBECONFIG"
        ) from None
    if not isinstance(document, dict):
        raise KubeconfigRefused(f"{path} is not a kubeconfig")
    return document


def _access(
    cluster: tuple[Mapping[str, Any], Path], user: tuple[Mapping[str, Any], Path], environ: Mapping[str, str]
) -> Access:
    (where, where_folder), (who, who_folder) = cluster, user
    if where.get("insecure-skip-tls-verify"):
        raise KubeconfigRefused(
            "the kubeconfig switches off TLS verification: anybody on the way could read and change everything",
            next_step="put the cluster's certificate authority into certificate-authority-data",
        )
    if "auth-provider" in who or "username" in who:
        raise KubeconfigRefused("the kubeconfig uses a way to log in that Kubernetes itself has removed")
    ca = _inline_or_file(where, "certificate-authority", where_folder)
    token_file = who.get("tokenFile")
    return Access(
        server=str(where.get("server", "")).rstrip("/"),
        ca=ca.decode() if ca else None,
        server_name=where.get("tls-server-name"),
        proxy=where.get("proxy-url"),
        client_certificate=_inline_or_file(who, "client-certificate", who_folder),
        client_key=_inline_or_file(who, "client-key", who_folder),
        token=who.get("token"),
        token_file=who_folder / str(token_file) if token_file else None,
        exec_plugin=_exec_plugin(who, environ),
    )


def _inline_or_file(item: Mapping[str, Any], field: str, folder: Path) -> bytes | None:
    try:
        if inline := item.get(f"{field}-data"):
            return base64.b64decode(str(inline), validate=True)
        return (folder / str(item[field])).read_bytes() if item.get(field) else None
    except (OSError, binascii.Error) as error:
        raise KubeconfigRefused(f"the kubeconfig's {field} cannot be read ({type(error).__name__})") from None


def _exec_plugin(who: Mapping[str, Any], environ: Mapping[str, str]) -> ExecPlugin | None:
    plugin = who.get("exec")
    if not plugin:
        return None
    if environ.get(ALLOW_EXEC) != "1":
        raise KubeconfigRefused(
            f"the kubeconfig runs a program to log in ({str(plugin.get('command'))[:80]!r}): "
            "whoever can write that file could run anything with the rights of ADX",
            next_step=f"use a token or certificate, or set {ALLOW_EXEC}=1 if you trust the file",
        )
    return ExecPlugin(
        api_version=str(plugin.get("apiVersion", "")),
        command=str(plugin.get("command", "")),
        args=tuple(map(str, plugin.get("args") or ())),
        env={str(item["name"]): str(item["value"]) for item in plugin.get("env") or ()},
    )
