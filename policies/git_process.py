"""Runs git: one process at a time, hardened, bounded in time. What its answers mean is decided elsewhere.

Git itself, not a library around it: importing GitPython costs more than the
whole of a small validation, and it would add its own reading of options.
Repositories come from outside, so nothing in them may run a program: no hooks,
filters, helpers, replacements or lazy fetches; only three protocols.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from policies.git_errors import GitFailed, RepositoryUnreachable

LOCAL_TIMEOUT_SECONDS = 60.0
NETWORK_TIMEOUT_SECONDS = 300.0

_CONFIG = (
    ("protocol.allow", "never"),
    ("protocol.file.allow", "always"),
    ("protocol.https.allow", "always"),
    ("protocol.ssh.allow", "always"),
    ("protocol.ext.allow", "never"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
    ("core.quotePath", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("transfer.fsckObjects", "true"),
    # Old commits of honest repositories have these; they deceive nobody.
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
)
_VARIABLES = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "LC_ALL": "C",
}
# What a person may have set about how to connect; other GIT_ variables (those of a hook that runs ADX, say) would
# lead git to another repository or program than the one that was asked for.
_KEPT_VARIABLES = frozenset(
    {
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_SSL_CAINFO",
        "GIT_EXEC_PATH",
    }
)
_CREDENTIALS = re.compile(r"://[^/\s@]*@")


def hardened_environment(repository: Path | None = None) -> dict[str, str]:
    """What hardens git, to be put over an environment. ``repository`` is trusted by name, whoever owns it."""
    config = [*_CONFIG, *([("safe.directory", str(repository))] if repository is not None else [])]
    variables = {**_VARIABLES, "GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables


def git_environment(repository: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """A whole environment for git on ``repository``: what is inherited (``environ``), without what could mislead it."""
    inherited = os.environ if environ is None else environ
    kept = {name: value for name, value in inherited.items() if not name.startswith("GIT_") or name in _KEPT_VARIABLES}
    kept.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    return {**kept, **hardened_environment(repository)}


def run(
    repository: Path,
    *arguments: str,
    timeout_seconds: float = LOCAL_TIMEOUT_SECONDS,
    accepted: Iterable[int] = (0,),
) -> tuple[int, bytes]:
    """Exit status and output of ``git -C repository arguments``.

    Raises GitFailed for a status that is not ``accepted`` and when the time is
    up, RepositoryUnreachable when there is no git or no such folder.
    """
    with _started(repository, arguments, subprocess.DEVNULL) as process:
        try:
            output, errors = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git {arguments[0]} in {repository} took over {timeout_seconds:.0f} s") from error
    if process.returncode not in accepted:
        raise GitFailed(f"git {arguments[0]} in {repository} failed: {cleaned(errors)}")
    return process.returncode, output


def read_blobs(repository: Path, oids: Iterable[str]) -> Iterator[bytes]:
    """The contents of the blobs ``oids``, in that order, through one process. Raises GitFailed for a missing one."""
    with tempfile.TemporaryFile() as wanted:
        wanted.write("".join(f"{oid}\n" for oid in oids).encode())
        wanted.seek(0)
        # Asked through a file: writing and reading in turns could wait for one another for ever.
        with _started(repository, ("cat-file", "--batch", "--buffer"), wanted) as process:
            yield from _blobs(cast("IO[bytes]", process.stdout), repository)


def cleaned(errors: bytes) -> str:
    """What git said on stderr: the lines that name an error, else the last ones, without credentials."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("fatal:", "error:"))]
    text = "; ".join(named[:3] or lines[-3:]) or "it did not say why"
    return _CREDENTIALS.sub("://***@", text)[:500]


def _blobs(output: IO[bytes], repository: Path) -> Iterator[bytes]:
    while header := output.readline():
        oid, kind, *size = header.split()
        if kind != b"blob":
            raise GitFailed(f"the object {oid.decode()} of {repository} is {kind.decode()}, not a file")
        size_bytes = int(size[0])
        data = output.read(size_bytes + 1)
        if len(data) != size_bytes + 1:
            raise GitFailed(f"git stopped in the middle of {oid.decode()} in {repository}")
        yield data[:-1]


@contextmanager
def _started(repository: Path, arguments: tuple[str, ...], stdin: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A git process that is gone at the end, whatever happens."""
    try:
        process = subprocess.Popen(
            ["git", "--no-pager", "-C", str(repository), *arguments],
            env=git_environment(repository),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise RepositoryUnreachable("git cannot be run", next_step="install git, or put it on the PATH") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            # The whole group: a transport that git started would outlive it.
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


def check_repository(repository: Path) -> None:
    """Raise RepositoryUnreachable when git finds no repository at ``repository``, saying why in git's words."""
    try:
        run(repository, "rev-parse", "--git-dir")
    except GitFailed as error:
        raise RepositoryUnreachable(str(error), next_step="name a git repository, or a folder inside one") from error
