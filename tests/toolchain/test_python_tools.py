"""Python tools in environments of their own: PATH, then the cache, then pip with every hash checked.

The package that is installed is a wheel made here, so that no index is asked.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.errors import ToolchainError
from scripts.progress import Silent
from scripts.toolchain.python_tools import CHECKOV, PythonRecipe, PythonTools


def make_wheel(folder: Path, version: str = "1.2.3") -> str:
    """A wheel of the package ``tinytool``; returns its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"tinytool-{version}-py3-none-any.whl"
    info = f"tinytool-{version}.dist-info"
    files = {
        "tinytool.py": b"answer = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tinytool\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        records = []
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            records.append(f"{name},sha256={digest},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*records, f"{info}/RECORD,,"]))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def tools(tmp_path: Path) -> PythonTools:
    """One tool that comes from a folder of wheels; an empty cache and an empty folder first on PATH."""
    lock = tmp_path / "tiny-requirements.txt"
    lock.write_text(f"tinytool==1.2.3 \\\n    --hash=sha256:{make_wheel(tmp_path / 'wheels')}\n")
    recipe = PythonRecipe(name="tinytool", requirements=lock, acceptable=">=1.2,<2", expected_seconds=2)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environ = {
        **kept,
        "PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]),
        "ADX_CACHE_DIR": str(tmp_path / "cache"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
    }
    return PythonTools({"tinytool": recipe}, environ, Silent())


def write_command(folder: Path, name: str, first_line: str) -> None:
    """A command on PATH with ``first_line``."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"{first_line}\nimport sys\n")
    (folder / name).chmod(0o755)


def test_tool_is_installed_once_and_then_found(tools: PythonTools) -> None:
    """Its Python imports it; the second resolution starts nothing; nothing unfinished stays."""
    installed, found = tools.resolve("tinytool"), tools.resolve("tinytool")
    assert (installed.source, found.source, found.python) == ("installed", "cache", installed.python)
    ran = subprocess.run(
        [found.python, "-I", "-c", "import tinytool; print(tinytool.answer)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "42\n"
    assert list(tools.cache.installing_folder.iterdir()) == []


def test_package_with_another_hash_is_refused_and_leaves_nothing(tools: PythonTools, tmp_path: Path) -> None:
    """Given a wheel that is not the one that was locked, pip's own words and what to do."""
    lock = tools.recipes["tinytool"].requirements
    lock.write_text(f"tinytool==1.2.3 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ToolchainError, match=r"(?s)tinytool could not be installed from PyPI.*HASHES") as failed:
        tools.resolve("tinytool")
    assert "package index" in failed.value.next_step
    assert tools.locate("tinytool") is None
    assert list(tools.cache.installing_folder.iterdir()) == []
    assert not list((tmp_path / "cache" / "python").rglob("python*"))


def test_package_without_a_hash_is_refused(tools: PythonTools) -> None:
    """A lock that forgot one does not open a door."""
    tools.recipes["tinytool"].requirements.write_text("tinytool==1.2.3\n")
    with pytest.raises(ToolchainError, match="hashes"):
        tools.resolve("tinytool")


def test_changed_lock_makes_the_old_environment_invisible(tools: PythonTools) -> None:
    """What is used is exactly what is locked."""
    tools.resolve("tinytool")
    lock = tools.recipes["tinytool"].requirements
    lock.write_text(lock.read_text() + "# another lock\n")
    assert tools.locate("tinytool") is None


def test_environment_whose_python_is_gone_is_made_anew(tools: PythonTools) -> None:
    """Python is linked, and the one that it links to may be removed by an upgrade."""
    python = tools.resolve("tinytool").python
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert tools.locate("tinytool") is None
    assert tools.resolve("tinytool").source == "installed"


def test_copy_on_path_is_taken_by_the_python_that_runs_it(tools: PythonTools, tmp_path: Path) -> None:
    """The version is that of the package beside that Python; the command itself is not started."""
    python = tools.resolve("tinytool").python
    write_command(tmp_path / "bin", "tinytool", f"#!{python}")
    found = tools.resolve("tinytool")
    assert (found.source, found.version, found.python) == ("path", "1.2.3", python)


@pytest.mark.parametrize("acceptable", [">=1.3", "<1.2"])
def test_copy_on_path_in_another_version_is_not_taken(tools: PythonTools, tmp_path: Path, acceptable: str) -> None:
    """Too old and too new are both refused; the cache's own is used."""
    write_command(tmp_path / "bin", "tinytool", f"#!{tools.resolve('tinytool').python}")
    recipe = replace(tools.recipes["tinytool"], acceptable=acceptable)
    assert PythonTools({"tinytool": recipe}, tools.environ).resolve("tinytool").source == "cache"


@pytest.mark.parametrize(
    "first_line",
    ["#!/bin/sh", "#!/usr/bin/env python3", f"#!{sys.executable}", "", "#!python3", '#!"'],
    ids=["shell", "env", "a Python without it", "none", "relative", "broken"],
)
def test_command_on_path_that_leads_to_no_python_with_the_tool_is_not_taken(
    tools: PythonTools, tmp_path: Path, first_line: str
) -> None:
    """Wrappers of version managers and commands of the same name are left alone."""
    write_command(tmp_path / "bin", "tinytool", first_line)
    assert tools.locate("tinytool") is None


def test_unknown_tool_names_those_that_exist(tools: PythonTools) -> None:
    """A person may mistype."""
    with pytest.raises(ToolchainError, match="no Python tool called 'checkof'") as failed:
        tools.locate("checkof")
    assert failed.value.next_step == "choose one of: tinytool"


def test_lock_of_checkov_pins_everything_with_hashes_and_names_no_address() -> None:
    """So that it ties nobody to one index."""
    text = CHECKOV.requirements.read_text()
    pins = re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE)
    assert ("checkov", CHECKOV.version) in pins
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
