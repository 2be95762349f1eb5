"""Declarations are read from a commit's objects; nothing in the repository changes what is read, or runs anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policies.errors import DeclarationError
from policies.git_errors import CommitMissing, RefRefused, RepositoryUnreachable
from policies.git_process import git_environment, hardened_environment
from policies.git_tree import GitTree, changed_paths, environment_names, is_ancestor, resolve_ref
from policies.loader import load
from tests.loading.repositories import Repository, base_files, submodule, symlink


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty bare repository."""
    return Repository(tmp_path / "repository.git")


def test_only_files_below_the_two_folders_are_listed_with_id_mode_and_size(repository: Repository) -> None:
    """Given other files too, what is listed is what declares."""
    repository.commit({"README.md": b"hello", "tenants/acme.yaml": b"a: 1\n", "environments/x": symlink("y")})
    entries = GitTree.open(repository.path, "main").entries()
    assert list(entries) == ["environments/x", "tenants/acme.yaml"]
    entry = entries["tenants/acme.yaml"]
    assert (entry.mode, entry.size_bytes, entry.oid) == (
        0o100644,
        5,
        repository.git("rev-parse", "main:tenants/acme.yaml"),
    )


def test_contents_come_back_as_they_are_and_in_the_order_asked_for(repository: Repository) -> None:
    """Given contents with line ends, NULs and nothing at all, no byte is changed."""
    files: dict[str, bytes] = {"tenants/a": b"\r\n\x00\n", "tenants/b": b"", "tenants/c": b"x" * 100_000}
    repository.commit(files)
    tree = GitTree.open(repository.path, "main")
    assert list(tree.read_many(["tenants/c", "tenants/a", "tenants/b"])) == [files[f"tenants/{name}"] for name in "cab"]
    assert tree.read("tenants/a") == files["tenants/a"]


def test_a_tree_can_be_opened_from_a_folder_inside_the_working_tree(tmp_path: Path) -> None:
    """Paths are those of the commit, wherever in the checkout the question is asked."""
    source = Repository(tmp_path / "source.git")
    commit = source.commit(base_files())
    subprocess.run(["git", "clone", "-q", str(source.path), str(tmp_path / "checkout")], check=True)
    tree = GitTree.open(tmp_path / "checkout" / "tenants", "HEAD")
    assert tree.commit == commit
    assert environment_names(tree) == ["development", "production"]


def test_uncommitted_work_is_not_read(tmp_path: Path) -> None:
    """A working tree that differs from its commit changes nothing."""
    source = Repository(tmp_path / "source.git")
    source.commit(base_files())
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(source.path), str(checkout)], check=True)
    (checkout / "tenants/acme.yaml").write_text("broken: [")
    (checkout / "tenants/new.yaml").write_text("also: broken: [")
    assert list(load(GitTree.open(checkout, "HEAD")).tenants) == ["acme", "globex"]


def test_filters_hooks_and_replacements_of_the_repository_do_not_run(repository: Repository, tmp_path: Path) -> None:
    """Given attributes that ask for a filter, hooks, and a replaced object, none has an effect."""
    marker = tmp_path / "ran"
    files = {**base_files(), ".gitattributes": b"* filter=evil diff=evil\n", "tenants/.gitattributes": b"* text\n"}
    commit = repository.commit(files)
    for key in ("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        repository.git("config", key, f"touch {marker}")
    hook = repository.path / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    other = repository.git("hash-object", "-w", "--stdin", stdin=b"kind: Replaced\n")
    repository.git("replace", repository.git("rev-parse", f"{commit}:tenants/acme.yaml"), other)
    tree = GitTree.open(repository.path, commit)
    assert tree.read("tenants/acme.yaml") == files["tenants/acme.yaml"]
    assert changed_paths(repository.path, commit, commit) == frozenset()
    assert not marker.exists()


@pytest.mark.parametrize("path", ["tenants/link.yaml", "environments/production", "tenants"])
def test_a_symbolic_link_in_a_commit_is_refused(repository: Repository, path: str) -> None:
    """A link to a file, or in place of a folder, is named and never followed."""
    files = {name: content for name, content in base_files().items() if not name.startswith(f"{path}/")}
    repository.commit({**files, path: symlink("../../etc/passwd")})
    with pytest.raises(DeclarationError) as refused:
        load(GitTree.open(repository.path, "main"))
    assert [found.file for found in refused.value.problems if found.rule == "tree.symlink"] == [path]


def test_a_submodule_in_a_commit_is_refused(repository: Repository) -> None:
    """Its content belongs to another repository."""
    repository.commit({**base_files(), "tenants/vendor": submodule()})
    with pytest.raises(DeclarationError) as refused:
        load(GitTree.open(repository.path, "main"))
    assert [found.rule for found in refused.value.problems] == ["tree.submodule"]


def test_names_that_differ_only_in_case_are_refused_in_a_commit(repository: Repository) -> None:
    """A commit can hold what no checkout on some systems can."""
    repository.commit({**base_files(), "tenants/ACME.yaml": b"a: 1\n"})
    with pytest.raises(DeclarationError) as refused:
        load(GitTree.open(repository.path, "main"))
    assert "tree.case" in [found.rule for found in refused.value.problems]


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch /tmp/x",
        "-n1",
        "--output=/tmp/x",
        "main --all",
        "main\n--all",
        "main..other",
        "main:tenants/acme.yaml",
        ":/text",
        "^main",
        "$(touch x)",
        "",
        "m\u0430in",
        "x" * 300,
    ],
)
def test_a_ref_that_is_no_plain_name_is_refused(repository: Repository, ref: str) -> None:
    """Whatever could be an option, a range, a search or a file never reaches git."""
    repository.commit(base_files())
    with pytest.raises(RefRefused):
        resolve_ref(repository.path, ref)


def test_refs_resolve_to_full_commit_ids(repository: Repository) -> None:
    """Branch, tag, abbreviated id and ancestor notation."""
    first = repository.commit(base_files())
    second = repository.commit(base_files(), parents=(first,))
    repository.git("tag", "-a", "-m", "x", "v1", first)
    resolved = [resolve_ref(repository.path, ref) for ref in ("main", "v1", second[:10], "main~1", "refs/tags/v1")]
    assert resolved == [second, first, second, first, first]


def test_what_is_no_commit_is_said_to_be_missing(repository: Repository) -> None:
    """A name that nothing has, and the id of a file."""
    repository.commit(base_files())
    for ref in ("no-such-branch", "0" * 40, repository.git("rev-parse", "main:tenants/acme.yaml")):
        with pytest.raises(CommitMissing):
            resolve_ref(repository.path, ref)


def test_a_folder_without_a_repository_is_said_to_be_none(tmp_path: Path) -> None:
    """The message is about the folder, not about the ref."""
    with pytest.raises(RepositoryUnreachable, match="not a git repository"):
        resolve_ref(tmp_path, "main")


def test_changed_paths_are_those_below_the_two_folders(repository: Repository) -> None:
    """Added, changed, removed and renamed files; a rename is two."""
    before = {"README.md": b"1", "tenants/a.yaml": b"1", "tenants/b.yaml": b"2", "environments/c/flags.yaml": b"3"}
    after = {"README.md": b"2", "tenants/a.yaml": b"x", "tenants/d.yaml": b"2", "environments/c/flags.yaml": b"3"}
    first = repository.commit(before)
    second = repository.commit(after, parents=(first,))
    assert changed_paths(repository.path, first, second) == {"tenants/a.yaml", "tenants/b.yaml", "tenants/d.yaml"}
    with pytest.raises(RefRefused):
        changed_paths(repository.path, "--output=/tmp/x", second)


def test_ancestry(repository: Repository) -> None:
    """A commit contains itself and its history; what is unknown contains nothing."""
    first = repository.commit(base_files())
    second = repository.commit(base_files(), parents=(first,))
    other = repository.commit(base_files() | {"tenants/x.yaml": b"1"}, branch="other")
    assert is_ancestor(repository.path, first, second)
    assert is_ancestor(repository.path, second, second)
    assert not is_ancestor(repository.path, second, first)
    assert not is_ancestor(repository.path, other, second)
    assert not is_ancestor(repository.path, "0" * 40, second)


def test_variables_of_a_calling_hook_do_not_lead_git_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given ADX runs inside a hook of another repository, the one asked for is read."""
    commit = repository.commit(base_files())
    elsewhere = Repository(tmp_path / "elsewhere.git")
    monkeypatch.setenv("GIT_DIR", str(elsewhere.path))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(elsewhere.path / "objects"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.hooksPath=/tmp'")
    assert resolve_ref(repository.path, "main") == commit


def test_the_environment_of_git_is_hardened(tmp_path: Path) -> None:
    """No prompt, no system configuration, no hooks, no remote helpers; the repository is trusted by its name."""
    variables = git_environment(tmp_path, {"PATH": "/bin", "GIT_DIR": "/x", "GIT_SSH_COMMAND": "ssh -i key"})
    count = int(variables["GIT_CONFIG_COUNT"])
    config = {variables[f"GIT_CONFIG_KEY_{index}"]: variables[f"GIT_CONFIG_VALUE_{index}"] for index in range(count)}
    assert variables["GIT_CONFIG_NOSYSTEM"] == "1"
    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    assert variables["GIT_ALLOW_PROTOCOL"] == "file:https:ssh"
    assert variables["GIT_SSH_COMMAND"] == "ssh -i key"
    assert "GIT_DIR" not in variables
    assert config["protocol.ext.allow"] == "never"
    assert config["core.hooksPath"] == "/dev/null"
    assert config["safe.directory"] == str(tmp_path)
    assert "safe.directory" not in hardened_environment().values()
