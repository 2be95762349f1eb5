"""Settings come from the environment, completed from the file that `adx up` wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipelines.settings import SettingsError, load


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree with a folder inside."""
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "tree" / "tenants").mkdir()
    return tmp_path / "tree"


def write(home: Path, content: str, mode: int = 0o600) -> None:
    """The settings file in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "env.json").write_text(content)
    (home / "env.json").chmod(mode)


def test_file_completes_the_environment(tree: Path) -> None:
    write(tree / ".adx", json.dumps({"ADX_LEDGER_URL": "from-file", "ADX_TASK_QUEUE": "from-file"}))
    settings = load({"ADX_TASK_QUEUE": "from-variable"}, working_folder=tree / "tenants")
    assert (settings.ledger_url, settings.task_queue) == ("from-file", "from-variable")


def test_empty_variable_counts_as_unset(tree: Path) -> None:
    write(tree / ".adx", json.dumps({"ADX_LEDGER_URL": "from-file"}))
    assert load({"ADX_LEDGER_URL": ""}, working_folder=tree).ledger_url == "from-file"


def test_missing_setting_is_named_with_what_to_do(tree: Path) -> None:
    with pytest.raises(SettingsError, match="ADX_TEMPORAL_ADDRESS") as caught:
        _ = load({}, working_folder=tree).temporal_address
    assert "adx up" in caught.value.next_step
    assert caught.value.exit_code == 6


def test_home_is_beside_the_repository_and_adx_home_moves_it(tree: Path, tmp_path: Path) -> None:
    assert load({}, working_folder=tree / "tenants").home == tree / ".adx"
    assert load({"ADX_HOME": str(tmp_path / "other")}, working_folder=tree).home == tmp_path / "other"


def test_repository_option_outranks_the_variable(tree: Path, tmp_path: Path) -> None:
    settings = load({"ADX_REPO": "ssh://git@example.com/a/b"}, repository=str(tree), working_folder=tmp_path)
    assert (settings.repository, settings.folder, settings.home) == (str(tree), tree, tree / ".adx")


def test_bare_repository_holds_no_home(tree: Path, tmp_path: Path) -> None:
    bare = tmp_path / "remote.git"
    (bare / "objects").mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    settings = load({}, repository=str(bare), working_folder=tree)
    assert (settings.folder, settings.home) == (bare, tree / ".adx")


def test_a_repository_that_is_not_there_is_not_taken_for_the_folder_at_hand(tmp_path: Path) -> None:
    """A mistyped path would otherwise be answered with what lies in the current folder."""
    with pytest.raises(SettingsError, match="no such folder"):
        load({}, repository=str(tmp_path / "platfrom"), working_folder=tmp_path)


def test_address_of_a_repository_is_kept_as_it_is(tree: Path) -> None:
    settings = load({}, repository="https://example.com/a/b.git", working_folder=tree)
    assert (settings.repository, settings.folder) == ("https://example.com/a/b.git", tree)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ADX_LEDGER_URL": 1}', "canary-in-a-broken-file"])
def test_broken_file_is_refused_without_quoting_it(tree: Path, content: str) -> None:
    write(tree / ".adx", content)
    with pytest.raises(SettingsError, match=r"env\.json") as caught:
        load({}, working_folder=tree)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_can_write_is_refused(tree: Path, mode: int) -> None:
    """Whoever can write it could send snapshots and credentials to a server of their own."""
    write(tree / ".adx", "{}", mode)
    with pytest.raises(SettingsError, match="written by other users"):
        load({}, working_folder=tree)


def test_values_stay_out_of_repr(tree: Path) -> None:
    settings = load({"ADX_LEDGER_URL": "postgresql://a:canary@h/d"}, working_folder=tree)
    assert "canary" not in repr(settings)


def test_fill_puts_the_toolchain_first_on_the_path_once(tree: Path) -> None:
    settings = load({"ADX_TOOLCHAIN_PATH": "/tools"}, working_folder=tree)
    environ = {"PATH": f"/bin{os.pathsep}/usr/bin"}
    settings.fill(environ)
    settings.fill(environ)
    assert environ["PATH"] == os.pathsep.join(["/tools", "/bin", "/usr/bin"])
    assert environ["ADX_BRANCH"] == "main"
