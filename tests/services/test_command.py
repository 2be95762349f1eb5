"""`adx services` as its users run it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.loading.repositories import Repository, base_files, write_folder
from tests.pipelines.command import Ran, adx, environment

SERVICES = "environments/development/services.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base declarations, without git; the checkout needs version 1.4 of nothing yet."""
    return write_folder(tmp_path / "repository", base_files())


def run(folder: Path, *arguments: str) -> Ran:
    """`adx services …` on the folder, eighty columns wide."""
    return adx(
        "services",
        *arguments,
        "--repo",
        str(folder),
        environ=environment(folder / "home", COLUMNS="80"),
        folder=folder.parent,
    )


def require(folder: Path, range_: str) -> None:
    """The frontend of development works with these versions of the checkout."""
    path = folder / SERVICES
    old = "dependencies: [checkout]"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, f'{old}\n    dependency_versions: {{checkout: "{range_}"}}'))


def test_services_are_listed_by_environment(folder: Path) -> None:
    """With the ranges; readable in eighty columns. One environment alone needs no column for it."""
    require(folder, ">=1.4 <2")
    everything, one = run(folder, "list"), run(folder, "list", "development")
    assert (everything.code, one.code) == (0, 0), everything.err + one.err
    assert re.search(r"frontend +development +v1\.2\.0 +2 +checkout >=1\.4 <2", everything.out)
    assert re.search(r"frontend +production", everything.out)
    assert "in 2 environments" in everything.out
    assert re.search(r"checkout +v1\.4\.1 +2–4 +store", one.out)
    assert "3 services in development" in one.out
    assert "production" not in one.out
    assert "delivered" not in one.out
    assert max(map(len, everything.out.splitlines())) <= 80


def test_the_list_is_data_with_json(folder: Path) -> None:
    """Everything that a script may want, the image among it."""
    listed = json.loads(run(folder, "list", "development", "--json").out)
    (frontend,) = [row for row in listed if row["service"] == "frontend"]
    assert frontend["image"] == "registry.example.com/shop/frontend"
    assert (frontend["version"], frontend["release"]) == ("v1.2.0", "1.2.0")
    assert frontend["dependencies"] == {"checkout": ""}
    assert [row["release"] for row in listed] == ["1.4.1", "1.2.0", None]


def test_a_service_is_shown_in_each_environment(folder: Path) -> None:
    """With who calls it and what it needs."""
    shown = run(folder, "show", "checkout")
    assert shown.code == 0, shown.err
    assert "checkout in development" in shown.out
    assert "checkout in production" in shown.out
    assert re.search(r"called by +frontend", shown.out)
    assert re.search(r"depends on +store", shown.out)
    assert "production" not in run(folder, "show", "checkout", "--env", "development").out


def test_an_unknown_service_is_said_with_the_nearest(folder: Path) -> None:
    """Exit status 6: something was not found."""
    shown = run(folder, "show", "chekout")
    assert shown.code == 6
    assert "write checkout" in shown.err
    assert shown.out == ""


def test_what_was_delivered_is_known_to_a_ledger_only(folder: Path) -> None:
    """Without one the setting is named, and nothing made up."""
    listed = run(folder, "list", "--delivered")
    assert listed.code != 0
    assert "ADX_LEDGER_URL" in listed.err
    assert listed.out == ""


def test_services_that_go_together_are_said_to(folder: Path) -> None:
    """Exit status 0, with the order."""
    require(folder, "^1.4")
    ended = run(folder, "compat", "development")
    assert ended.code == 0, ended.err
    assert re.search(r"frontend +checkout +\^1\.4 +1\.4\.1 +✓", ended.out)
    assert re.search(r"1\. store *\n *2\. checkout *\n *3\. frontend", ended.out)
    assert "The services of development go together." in ended.out


def test_every_issue_is_told_with_its_place(folder: Path) -> None:
    """Exit status 1; as text and as JSON."""
    require(folder, ">=2")
    told, data = run(folder, "compat", "development"), run(folder, "compat", "development", "--json")
    assert (told.code, data.code) == (1, 1)
    assert re.search(r"frontend +checkout +>=2 +1\.4\.1 +✗", told.out)
    assert f"{SERVICES}:15:" in told.out
    assert "1 issue in development" in told.out
    found = json.loads(data.out)
    assert (found["is_compatible"], found["stages"]) == (False, [["store"], ["checkout"], ["frontend"]])
    assert [problem["rule"] for problem in found["problems"]] == ["services.dependency-version"]


def test_validate_says_the_same(folder: Path) -> None:
    """The rule runs over the whole desired state."""
    require(folder, ">=2")
    ended = adx("validate", "--repo", str(folder), environ=environment(folder / "home"), folder=folder)
    assert ended.code == 3
    assert "services.dependency-version" in ended.out


def test_a_commit_is_compared_with_another(tmp_path: Path) -> None:
    """What is lowered since then is an issue."""
    repository = Repository(tmp_path / "repository")
    old = repository.commit(base_files())
    files = base_files()
    files[SERVICES] = files[SERVICES].replace(b"version: v1.2.0", b"version: v1.1.0")
    new = repository.commit(files, parents=(old,))
    ended = run(repository.path, "compat", "development", "--ref", new, "--since", old)
    assert ended.code == 1, ended.err
    assert "frontend would be lowered from 1.2.0 to 1.1.0" in " ".join(ended.out.split())
    same = run(repository.path, "compat", "development", "--ref", new, "--since", new)
    assert same.code == 0
    assert f"none lowered since {new[:10]}" in " ".join(same.out.split())


def test_documents_that_cannot_be_read_have_a_status_of_their_own(folder: Path) -> None:
    """Exit status 3, and no traceback."""
    (folder / SERVICES).write_text("a: [")
    ended = run(folder, "compat", "development")
    assert ended.code == 3
    assert "Traceback" not in ended.err
    assert SERVICES in ended.err
