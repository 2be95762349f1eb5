"""Runs `adx config …` in a repository of its own, made of the small valid declarations."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
from typer.testing import CliRunner

from pipelines.cli import config
from pipelines.cli.app import build
from tests.support.declared import BASE


@dataclass(frozen=True)
class Shop:
    """A git repository with declarations, and the settings that commands get."""

    folder: Path
    home: Path
    environ: dict[str, str] = field(default_factory=dict, repr=False)

    def git(self, *arguments: str) -> str:
        """What git says."""
        options = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", str(self.folder))
        done = subprocess.run(["git", *options, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def text(self, file: str) -> str:
        """A file as it is."""
        return (self.folder / file).read_text()

    def adx(self, *arguments: str, typed: str = "", fails: int = 0) -> Any:
        """The outcome of `adx config …`; its exit status must be ``fails``."""
        app = build()
        if "config" not in {group.name for group in app.registered_groups}:
            app.add_typer(config.app, name="config")
        environ = {"ADX_HOME": str(self.home), "ADX_ACTOR": "ada", "COLUMNS": "80", **self.environ}
        result = CliRunner().invoke(app, ["--repo", str(self.folder), "config", *arguments], typed, environ)
        assert result.exit_code == fails, f"{result.output}\n{result.exception!r}"
        return result

    def json(self, *arguments: str, typed: str = "") -> Any:
        """What a command says with ``--json``."""
        return msgspec.json.decode(self.adx(*arguments, "--json", typed=typed).stdout)


def make_shop(folder: Path, **environ: str) -> Shop:
    """The repository, with one commit."""
    shop = Shop(folder / "shop", folder / "home", environ)
    copytree(BASE, shop.folder)
    file = shop.folder / "environments/development/configuration.yaml"
    file.write_text(COMMENTED)
    shop.git("init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
        shop.git("config", name, value)
    shop.git("add", "--all")
    shop.git("commit", "--quiet", "-m", "Declare the shop")
    return shop


COMMENTED = """\
# What the shop reads.
apiVersion: adx/v1
kind: Configuration
environment: development

values:
  frontend:
    CURRENCY: 'EUR'    # as in the contract
    PAGE_SIZE: 24      # two rows on a wide screen
    SHOW_BANNER: false
  checkout: {TIMEOUT_SECONDS: 2.5}
"""
