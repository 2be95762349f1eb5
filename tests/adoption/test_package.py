"""Where a new repository says that ADX comes from: never from whoever publishes a package of that name."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from pipelines.adoption.errors import InitRefused
from pipelines.adoption.files import NewRepository
from pipelines.adoption.package import requirement

DIGEST = "#sha256=" + "0a" * 32
WHEEL = "adx-1.2.3-py3-none-any.whl"
URL = f"https://packages.example/adx/{WHEEL}{DIGEST}"
INSTALLS = re.compile(
    r"\b(?:uvx|pipx|(?:pip|pip3|uv|poetry|npm|gem|cargo|go|apt|apt-get)\b[^\n]*\b(?:install|sync|add|run|get))\b"
)
HASHED = re.compile(r"--require-hashes\b.* --requirement (?:requirements\.txt|\"\$REQUIREMENTS\")")
UV = Path(sysconfig.get_path("scripts")) / "uv"


def requirements(package: str) -> list[str]:
    """What of ``requirements.in`` an installer reads."""
    text = NewRepository("shop", ("staging",), "1.2.3", package).files()["requirements.in"]
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("package", ["", URL])
def test_no_text_of_a_new_repository_installs_anything_without_hashes(package: str) -> None:
    """Given every file that is written, then each command that installs is given the lock and told to check it."""
    files = NewRepository("shop", ("staging", "production"), "1.2.3", package).files()
    lines = [
        (path, line.strip())
        for path, text in files.items()
        for line in text.replace("\\\n", " ").splitlines()
        if INSTALLS.search(line)
    ]

    assert {path for path, _ in lines} == {"README.md", ".github/actions/setup-adx/action.yml"}
    assert [(path, line) for path, line in lines if not HASHED.search(line)] == []


@pytest.mark.parametrize("installer", [[sys.executable, "-m", "pip", "install", "--dry-run"], [UV, "pip", "compile"]])
def test_nothing_is_installed_until_somebody_says_from_where(tmp_path: Path, installer: list[str | Path]) -> None:
    """Given no package, then installers stop with words that say what to do, before they ask anybody for a package."""
    text = NewRepository("shop", ("staging",), "1.2.3").files()["requirements.in"]
    (tmp_path / "requirements.in").write_text(text)
    file = ["--requirement", "requirements.in"] if "install" in installer else ["requirements.in"]

    ran = subprocess.run(
        [*installer, "--no-index", *file], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.returncode != 0
    assert "SAY-HERE-WHERE-YOUR-WHEEL-OF-ADX-IS" in ran.stderr
    assert f"# adx @ https://HOST/{WHEEL}#sha256=DIGEST" in text.splitlines()


def test_a_wheel_is_named_by_its_place_and_its_content(tmp_path: Path) -> None:
    """Given a wheel on this machine, also in a folder with blanks, then the line has its digest."""
    wheel = tmp_path / "my wheels" / WHEEL
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("adx.py", "")

    (line,) = requirements(str(wheel))

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert line == f"adx @ file://{tmp_path}/my%20wheels/{WHEEL}#sha256={digest}"


@pytest.mark.parametrize(
    ("package", "lines"),
    [
        (URL, [f"adx @ {URL}"]),
        (f"adx @ {URL}", [f"adx @ {URL}"]),
        (
            "adx==1.2.3 --index-url https://packages.example/simple",
            ["--index-url https://packages.example/simple", "adx==1.2.3"],
        ),
    ],
)
def test_a_package_elsewhere_is_named_with_what_makes_it_ours(package: str, lines: list[str]) -> None:
    """Given a URL with a digest, or an index, then that is written."""
    assert requirements(package) == lines


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ("adx", "does not say which wheel"),
        ("adx==1.2.3", "does not say which wheel"),
        ("adx>=1", "does not say which wheel"),
        (URL.removesuffix(DIGEST), "does not say which wheel"),
        (URL.replace("https", "http"), "does not say which wheel"),
        (URL.replace("//", "//me:secret@"), "does not say which wheel"),
        (URL.replace("#", "?token=secret#"), "does not say which wheel"),
        (URL.replace("adx/", "${TOKEN}/"), "does not say which wheel"),
        (URL + "\nother", "does not say which wheel"),
        ("adx==1.2.3 --index-url https://me:secret@packages.example/simple", "does not say which wheel"),
        ("adx==1.2.3 --extra-index-url https://packages.example/simple", "does not say which wheel"),
        (URL.replace("adx-1", "other-1"), "no name of a wheel of ADX"),
        (URL.replace("1.2.3", "1.2.4"), "is of version 1.2.4"),
        (f"nowhere/{WHEEL}", "cannot be read: No such file"),
        ("nowhere/adx-1.2.3.tar.gz", "no name of a wheel of ADX"),
    ],
)
def test_what_others_could_answer_is_refused(package: str, told: str) -> None:
    """Given a name alone, no digest, or a secret that would be committed, then it is refused and not repeated."""
    with pytest.raises(InitRefused, match=told) as caught:
        requirement(package, "1.2.3")

    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    """Given a page that was downloaded in the place of a wheel, then it is not digested as one."""
    (tmp_path / WHEEL).write_text("<html>")

    with pytest.raises(InitRefused, match="is no wheel"):
        requirement(str(tmp_path / WHEEL), "1.2.3")
