"""Changes what is declared: the YAML keeps its comments and its order, and Git stays the source of truth.

A change becomes a commit of its own on the branch that is checked out, or a
new branch that nobody has to check out. What the rules refuse is refused
before anything is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.configuration.spec import Scalar
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_secrets import Ciphertext, is_secret_text, parse_secret
from policies.declarations import Declarations
from policies.findings import environment_file, tenant_file
from policies.git_errors import GitFailed
from policies.git_process import run
from policies.git_tree import resolve_ref
from policies.loader import load
from policies.tree import Entry, Tree
from policies.yaml_edit import put, remove
from workflows.clients.git import Proposal, commit_proposal
from workflows.configuration.errors import ValueNotFound, ValueRefused

COMMIT_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Change:
    """New texts of files by path, and the commit's message."""

    files: Mapping[str, str]
    message: str


@dataclass(frozen=True)
class Committed:
    """What was made: ``commit`` is empty where only files were written, ``branch`` where none was made."""

    files: tuple[str, ...]
    commit: str = ""
    branch: str = ""


class EditedTree:
    """``tree`` with the texts of some files replaced, to be judged before it is written."""

    def __init__(self, tree: Tree, files: Mapping[str, str]) -> None:
        self._tree = tree
        self._files = {path: text.encode() for path, text in files.items()}

    @property
    def commit(self) -> str | None:
        """What the tree was before its files were edited."""
        return self._tree.commit

    def entries(self) -> Mapping[str, Entry]:
        """The entries of the tree; edited files have another size."""
        return self._tree.entries()

    def read(self, path: str) -> bytes:
        """The content of one file."""
        return self._files[path] if path in self._files else self._tree.read(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The contents of many files."""
        for path in paths:
            yield self.read(path)


def place_of(key: ConfigurationKey) -> tuple[str, list[str | int]]:
    """File and path where the value of ``key`` is declared."""
    if key.tenant_id is None:
        return environment_file(key.environment, "configuration"), ["values", key.service, key.key]
    return tenant_file(key.tenant_id), ["overrides", key.environment, "configuration", key.service, key.key]


def setting(tree: Tree, key: ConfigurationKey, value: Scalar | None, *, by: str) -> Change:
    """The change that gives ``key`` this value; None takes it out.

    Raises ValueNotFound where there is no such file, NotEditable, and
    DeclarationError when the declarations would not be valid any more.
    """
    file, path = place_of(key)
    if file not in tree.entries():
        raise ValueNotFound(f"{file} does not exist", next_step="look at the names of environment and tenant")
    text = tree.read(file).decode()
    edited = remove(text, path) if value is None else put(text, path, value)
    if edited == text:
        raise ValueRefused(f"{key} has this value already")
    load(EditedTree(tree, {file: edited}))
    verb = "Remove" if value is None else "Set"
    return Change({file: edited}, f"{verb} {key}\n\nChanged-by: {by}\n")


def ciphertexts(declarations: Declarations, environment: str | None) -> Iterator[tuple[ConfigurationKey, str]]:
    """Every ciphertext that is declared, in one or in all environments."""
    for name, declared in declarations.environments.items():
        if environment not in (None, name):
            continue
        namespace = declared.environment.namespace
        for service, values in declared.configuration.values.items():
            yield from _ciphertexts(values, namespace, name, service, None)
        for tenant in declarations.tenants.values():
            overrides = tenant.overrides.get(name)
            for service, values in overrides.configuration.items() if overrides is not None else ():
                yield from _ciphertexts(values, namespace, name, service, tenant.name)


def replacing(tree: Tree, replaced: Mapping[ConfigurationKey, str], message: str) -> Change:
    """The change that gives each of these keys another ciphertext. Raises NotEditable."""
    files: dict[str, str] = {}
    for key, text in replaced.items():
        file, path = place_of(key)
        files[file] = put(files.get(file) or tree.read(file).decode(), path, text)
    load(EditedTree(tree, files))
    return Change(files, message)


def write_files(folder: Path, change: Change) -> Committed:
    """Write the files and leave the commit to the caller."""
    for path, text in change.files.items():
        _replace(folder / path, text.encode())
    return Committed(tuple(change.files))


def commit_here(folder: Path, change: Change) -> Committed:
    """Write the files and commit them, and only them, on the branch that is checked out.

    Raises GitFailed, before anything is written, when one of them has changes that are not committed.
    """
    _, changed = run(folder, "status", "--porcelain", "--", *change.files)
    if changed.strip():
        raise GitFailed(
            f"{', '.join(change.files)} has changes that are not committed",
            next_step="commit or undo them first, or let a branch be made with --branch NAME",
        )
    write_files(folder, change)
    run(
        folder, "commit", "--quiet", "--only", "-m", change.message, "--", *change.files,
        timeout_seconds=COMMIT_TIMEOUT_SECONDS,
    )  # fmt: skip
    return Committed(tuple(change.files), commit=resolve_ref(folder, "HEAD"))


def commit_to_branch(folder: Path, change: Change, branch: str, base: str = "HEAD") -> Committed:
    """Make ``branch`` with the change on top of ``base``; the working tree and its index stay as they are.

    ``change`` must have been made from ``base``. Raises GitFailed, also when there is such a branch.
    """
    start = resolve_ref(folder, base)
    run(folder, "check-ref-format", f"refs/heads/{branch}")
    files = {path: text.encode() for path, text in change.files.items()}
    commit = commit_proposal(folder, Proposal(start, branch, files, change.message))
    status, _ = run(folder, "update-ref", f"refs/heads/{branch}", commit, "0" * len(commit), accepted=(0, 1, 128))
    if status != 0:
        raise GitFailed(f"there is a branch {branch} already", next_step="choose another name")
    return Committed(tuple(change.files), commit=commit, branch=branch)


def _ciphertexts(
    values: Mapping[str, Scalar], namespace: str, environment: str, service: str, tenant: str | None
) -> Iterator[tuple[ConfigurationKey, str]]:
    for name, value in values.items():
        if isinstance(value, str) and is_secret_text(value) and isinstance(parse_secret(value), Ciphertext):
            key = ConfigurationKey(
                namespace=namespace, environment=environment, service=service, key=name, tenant_id=tenant
            )
            yield key, value


def _replace(path: Path, data: bytes) -> None:
    """All of the new content or all of the old, with the same mode."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
