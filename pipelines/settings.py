"""Where ADX finds its parts: environment variables, completed from ``<ADX_HOME>/env.json``.

A variable that is set always wins over the file that `adx up` wrote, so that
production needs no file and a developer needs no variable. Nothing here
connects to anything.

::

    AdxError
    └── SettingsError           a variable is missing or the file cannot be trusted
"""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import msgspec

from pipelines.exit_codes import ExitCode
from policies.errors import AdxError

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"ADX_BRANCH": "main", "ADX_TEMPORAL_NAMESPACE": "default", "ADX_TASK_QUEUE": "adx"}
)
ENVIRONMENT_FILE = "env.json"


class SettingsError(AdxError):
    """A setting is missing or cannot be used; the message names the variable."""

    exit_code = ExitCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process; values stay out of ``repr`` because some are secrets.

    ``folder`` is the repository or folder on this machine that commands read:
    ``--repo`` when that is one, otherwise the working tree around the caller.
    """

    home: Path
    folder: Path
    values: Mapping[str, str] = field(repr=False)

    def required(self, name: str) -> str:
        """The value of variable ``name``; SettingsError naming it when it is unset or empty."""
        value = self.values.get(name, "")
        if not value:
            raise SettingsError(
                f"{name} is not set, and {self.home / ENVIRONMENT_FILE} does not give it",
                next_step=f"run `adx up` to start the local stack, or set {name}",
            )
        return value

    def optional(self, name: str) -> str | None:
        """The value of variable ``name``, or None when it is unset or empty."""
        return self.values.get(name) or None

    @property
    def repository(self) -> str:
        """The address or path of the delivered git repository."""
        return self.required("ADX_REPO")

    @property
    def branch(self) -> str:
        """The branch whose head is delivered."""
        return self.required("ADX_BRANCH")

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger; may hold a password."""
        return self.required("ADX_LEDGER_URL")

    @property
    def temporal_address(self) -> str:
        """``host:port`` of the Temporal frontend."""
        return self.required("ADX_TEMPORAL_ADDRESS")

    @property
    def temporal_namespace(self) -> str:
        """The Temporal namespace that holds the workflows."""
        return self.required("ADX_TEMPORAL_NAMESPACE")

    @property
    def task_queue(self) -> str:
        """The Temporal task queue that workers listen to."""
        return self.required("ADX_TASK_QUEUE")

    @property
    def actor(self) -> str:
        """Who asks, for the audit trail: ADX_ACTOR, who started the CI run, or the user of this machine."""
        return self.optional("ADX_ACTOR") or self.optional("GITHUB_ACTOR") or getpass.getuser()

    def fill(self, environ: MutableMapping[str, str]) -> None:
        """Put every setting into ``environ``, for child processes, and the toolchain first on its PATH."""
        environ.update(self.values)
        toolchain = self.values.get("ADX_TOOLCHAIN_PATH", "")
        folders = environ.get("PATH", "").split(os.pathsep)
        missing = [part for part in toolchain.split(os.pathsep) if part and part not in folders]
        environ["PATH"] = os.pathsep.join([*missing, *folders])


def load(
    environ: Mapping[str, str] | None = None, *, repository: str | None = None, working_folder: Path | None = None
) -> Settings:
    """Read the settings.

    ``repository`` (the option ``--repo``) outranks ``ADX_REPO``. Raises
    SettingsError when it is neither a folder nor an address, and when the file
    is damaged or writable by others.
    """
    environ = os.environ if environ is None else environ
    tree = _working_tree(working_folder or Path.cwd())
    is_folder = bool(repository) and Path(repository or "").is_dir()
    # An address has a colon: a URL, or host:path. Anything else would be answered by the folder at hand.
    if repository and not is_folder and ":" not in repository:
        raise SettingsError(
            f"--repo {repository}: there is no such folder",
            next_step="name a folder with environments/ and tenants/, or the address of a git repository",
        )
    folder = Path(repository or "").resolve() if is_folder else tree
    default_home = (tree if _is_bare(folder) else folder) / ".adx"
    home = Path(environ["ADX_HOME"]).expanduser().resolve() if environ.get("ADX_HOME") else default_home
    values = {**DEFAULTS, "ADX_REPO": str(folder), **_read_file(home / ENVIRONMENT_FILE)}
    values |= {name: value for name, value in environ.items() if value and _is_a_setting(name, values)}
    if repository:
        values["ADX_REPO"] = str(folder) if is_folder else repository
    values["ADX_HOME"] = str(home)
    return Settings(home=home, folder=folder, values=MappingProxyType(values))


def _is_a_setting(name: str, known: Mapping[str, str]) -> bool:
    """Settings are what the file names and everything of the families that ADX and its engine read."""
    return name in known or name.startswith(("ADX_", "PULUMI_", "AWS_", "VAULT_", "GITHUB_")) or name == "KUBECONFIG"


def _working_tree(folder: Path) -> Path:
    """The git working tree around ``folder``, or ``folder`` itself."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate.resolve()
    return folder.resolve()


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def _read_file(path: Path) -> dict[str, str]:
    """The variables in ``path``; empty when there is no such file."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        raise SettingsError(
            f"{path} cannot be read", next_step="run the command as the user who ran `adx up`"
        ) from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"{path} can be written by other users, so its addresses cannot be trusted",
            next_step=f"look at the file, then run `chmod 600 {path}`",
        )
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The decoder's message may quote the file, which holds secrets: it is left out on purpose.
        raise SettingsError(
            f"{path} is not a JSON object of strings", next_step="delete it and run `adx up` again"
        ) from error
