"""The composite actions: ADX installed with hashes checked, secrets in files that nobody else can read."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from tests.github_workflows.runner import ROOT, load_action, run_action

CANARY = "canary-9c27e4"


def wheel(folder: Path) -> Path:
    """A package called adx, as a release would bring it."""
    path = folder / "adx-9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("adx_stand_in.py", "def main() -> None:\n    print('adx 9.9')\n")
        archive.writestr("adx-9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: adx\nVersion: 9.9\n")
        archive.writestr("adx-9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("adx-9.9.dist-info/entry_points.txt", "[console_scripts]\nadx = adx_stand_in:main\n")
        archive.writestr("adx-9.9.dist-info/RECORD", "")
    return path


def lock(folder: Path, package: Path, digest: str) -> Path:
    """A hash-locked requirements file for ``package``."""
    path = folder / "adx.txt"
    path.write_text(f"adx @ {package.as_uri()} --hash=sha256:{digest}\n", "utf-8")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """ADX's own repository as it comes with the action, already installed, so that `make setup` has nothing to do."""
    folder = tmp_path / "adx"
    (folder / ".github" / "actions" / "setup-adx").mkdir(parents=True)
    (folder / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / ".installed").touch()
    return folder


def test_adx_beside_the_action_is_set_up_by_make_and_put_on_path(
    source: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """The same target that a person types, in the repository that the action came with."""
    action = source / ".github" / "actions" / "setup-adx"

    done = run_action("setup-adx", environ=environ, folder=tmp_path, temp=tmp_path, action_path=action, inputs={})

    assert done.conclusion == "success", done.log
    assert done.outputs["PATH"] == str(source / ".venv" / "bin")


def test_a_failed_set_up_puts_nothing_on_path(source: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    """A later step would otherwise run some other `adx`."""
    (source / "Makefile").write_text("setup:\n\t@exit 9\n", "utf-8")
    action = source / ".github" / "actions" / "setup-adx"

    done = run_action("setup-adx", environ=environ, folder=tmp_path, temp=tmp_path, action_path=action, inputs={})

    assert done.conclusion == "failure"
    assert done.outputs["PATH"] == ""


def test_a_release_is_installed_from_a_lock_and_only_with_the_right_hash(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Another file under the same name is refused by pip."""
    package = wheel(tmp_path)
    right = hashlib.sha256(package.read_bytes()).hexdigest()
    outcomes = {}
    for digest in (right, "0" * 64):
        temp = tmp_path / digest[:6]
        temp.mkdir()
        inputs = {"requirements": str(lock(tmp_path, package, digest))}
        done = run_action(
            "setup-adx",
            environ={**environ, "PIP_NO_INDEX": "1"},
            folder=tmp_path,
            temp=temp,
            action_path=tmp_path,
            inputs=inputs,
        )
        outcomes[digest] = (done.conclusion, (temp / "adx-python" / "bin" / "adx").exists())

    assert outcomes == {right: ("success", True), "0" * 64: ("failure", False)}


def test_the_name_of_the_cache_follows_the_pins_and_nothing_of_the_checkout_is_imported(
    source: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A `scripts` folder of the repository at hand must not be run while setting up."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "__init__.py").write_text("open('pwned', 'w').close()\n", "utf-8")
    action = source / ".github" / "actions" / "setup-adx"
    # An empty cache folder and a tool from PATH: nothing is built.
    kwok = tmp_path / "kwok"
    kwok.write_text("#!/bin/sh\necho kwok version v0.7.0\n", "utf-8")
    kwok.chmod(0o755)
    seen = {**environ, "PATH": os.pathsep.join([str(tmp_path), environ["PATH"]])}

    digests = []
    for programs in ("kwok", "kwok", "kwok kwok"):
        inputs = {"programs": programs}
        done = run_action("setup-adx", environ=seen, folder=tmp_path, temp=tmp_path, action_path=action, inputs=inputs)
        assert done.conclusion == "success", done.log
        digests.append(done.step("Name the cache of external programs").outputs["digest"])

    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 20
    assert not (tmp_path / "pwned").exists()


def test_secrets_lie_in_files_that_only_their_owner_reads(tmp_path: Path, environ: dict[str, str]) -> None:
    """And stand in no log and no output."""
    text = f"apiVersion: v1\nusers: ['{CANARY} $(touch pwned) `touch pwned`']"
    inputs = {"kubeconfig": text, "pulumi-passphrase": f"{CANARY}'\"$HOME"}

    done = run_action(
        "connect-adx", environ=environ, folder=tmp_path, temp=tmp_path, action_path=tmp_path, inputs=inputs
    )

    assert done.conclusion == "success", done.log
    kubeconfig, passphrase = Path(done.outputs["kubeconfig"]), Path(done.outputs["passphrase-file"])
    assert kubeconfig.read_text("utf-8") == text + "\n"
    assert passphrase.read_text("utf-8") == f"{CANARY}'\"$HOME"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (kubeconfig, passphrase)} == {0o600}
    assert stat.S_IMODE(Path(done.outputs["home"]).stat().st_mode) == 0o700
    assert CANARY not in done.log + str(done.outputs)
    assert not (tmp_path / "pwned").exists()


def test_what_was_not_given_is_left_out(tmp_path: Path, environ: dict[str, str]) -> None:
    """An empty kubeconfig would hide one that the machine has; no cloud is logged into unasked."""
    done = run_action("connect-adx", environ=environ, folder=tmp_path, temp=tmp_path, action_path=tmp_path, inputs={})

    assert done.outputs["kubeconfig"] == done.outputs["passphrase-file"] == ""
    assert sorted(path.name for path in Path(done.outputs["home"]).iterdir()) == []
    assert [step.outcome for step in done.steps] == ["skipped", "skipped", "skipped", "success"]


@pytest.mark.parametrize("cloud", ["aws-role", "google-provider", "azure-client-id"])
def test_an_input_of_one_cloud_starts_the_login_of_that_cloud_alone(cloud: str) -> None:
    """Each login hangs on exactly one input."""
    conditions = [step.get("if") for step in load_action("connect-adx")["runs"]["steps"]]

    assert conditions.count(f"inputs.{cloud} != ''") == 1
