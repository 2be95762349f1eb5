"""The folder of one local stack: data, logs, secrets and the record of what runs.

::

    <home>/stack.json        what runs, on which ports (record.py)
    <home>/stack.lock        held while parts are started or ended
    <home>/env.json          the settings, for programs that do not ask the stack
    <home>/kubeconfig        the one context that the stack uses
    <home>/secrets/          generated once, mode 0600
    <home>/certificates/     of the local control plane
    <home>/data/<part>       what survives a restart
    <home>/logs/<part>.log
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.stack.files import write_private


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under ``root``, an absolute folder that belongs to one stack."""

    root: Path

    @property
    def record_file(self) -> Path:
        """What runs; written by record.py only."""
        return self.root / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Held by whoever starts or ends parts."""
        return self.root / "stack.lock"

    @property
    def environment_file(self) -> Path:
        """The settings as JSON."""
        return self.root / "env.json"

    @property
    def kubeconfig(self) -> Path:
        """Holds exactly one context."""
        return self.root / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """Certificates of the local control plane."""
        return self.root / "certificates"

    def data(self, name: str) -> Path:
        """Where ``name`` keeps what survives a restart; not created here."""
        return self.root / "data" / name

    def log_file(self, part: str) -> Path:
        """The log of ``part``."""
        return self.root / "logs" / f"{part}.log"

    def secret_file(self, name: str) -> Path:
        """Where the secret ``name`` lies."""
        return self.root / "secrets" / name

    def create(self) -> None:
        """Make the folders, for nobody but the owner."""
        for folder in (self.root, self.root / "secrets", self.root / "logs", self.root / "data", self.certificates):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def ensure_secret(self, name: str, generate: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> Path:
        """The file of the secret ``name``, generated the first time, mode 0600."""
        path = self.secret_file(name)
        if not path.is_file():
            write_private(path, generate())
        return path

    def secret(self, name: str) -> str:
        """The value of the secret ``name``."""
        return self.secret_file(name).read_text(encoding="utf-8").strip()
