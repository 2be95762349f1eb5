"""`adx init` as people run it: what is written, what is refused, and that it is valid at once."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.adoption import sources
from pipelines.adoption.errors import InitRefused
from pipelines.adoption.files import NewRepository
from pipelines.adoption.writing import _write, create, renew
from pipelines.validate import validate
from policies.checkov.documents import problems_of
from tests.pipelines.command import adx, environment

ROOT = Path(__file__).parents[2]


def test_a_new_repository_is_valid_at_once(tmp_path: Path) -> None:
    """Given a folder that is not there yet, then it is a repository whose every declaration is right."""
    ran = adx("init", "My Shop", "--json", environ=environment(tmp_path / "home"), folder=tmp_path)

    assert ran.code == 0, ran.err
    told, folder = json.loads(ran.out), tmp_path / "My Shop"
    assert told["folder"] == str(folder)
    assert told["files"] == [path for path in told["files"] if (folder / path).is_file()]
    assert told["next_steps"][-1] == "adx deploy development --watch"
    report = validate(folder)
    assert (report.problems, report.files) == ((), 9)
    assert problems_of((folder / "policies/policies.yaml").read_bytes()) == []
    namespace = yaml.safe_load((folder / "environments/production/environment.yaml").read_text())["namespace"]
    assert namespace == "my-shop-production"
    head = subprocess.run(["git", "symbolic-ref", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
    assert head.stdout.strip() == "refs/heads/main"


def test_environments_are_promoted_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    """Given three environments, then each takes what the one before it holds, and all is valid."""
    files = NewRepository("shop", ("test", "staging", "live"), "1.2.3").files()

    create(tmp_path, files)

    declared = {name: yaml.safe_load(files[f"environments/{name}/environment.yaml"]) for name in ("test", "live")}
    assert "promotion" not in declared["test"]
    assert declared["live"]["promotion"] == {"from": "staging"}
    assert validate(tmp_path).problems == ()


def test_nothing_is_left_to_fill_in() -> None:
    """Given the files of a new repository, then no placeholder and no name of the samples is among them."""
    files = NewRepository("shop", ("staging",), "1.2.3").files()
    own = {path: text for path, text in files.items() if not path.startswith(("schemas/", ".github/workflows/"))}

    left = [path for path, text in own.items() if re.search(r"__(?!main__)[A-Z]+__|boutique", text)]
    assert left == []


def test_editors_find_the_schema_that_each_declaration_names() -> None:
    """Given the first line of a declaration, then the schema is where it says, as the installed ADX has it."""
    files = NewRepository("shop", ("staging",), "1.2.3").files()
    named = {
        path: str(Path("/repo", path).parent.joinpath(match[1]).resolve().relative_to("/repo"))
        for path, text in files.items()
        if (match := re.match(r"# yaml-language-server: \$schema=(\S+)\n", text))
    }

    assert len(named) == 6
    assert set(named.values()) <= files.keys()
    assert json.loads(files["schemas/tenant.schema.json"])["properties"].keys() >= {"resource_limits"}


def test_the_workflows_are_our_own_and_install_what_is_locked() -> None:
    """Given the workflows of a new repository, then only where ADX comes from differs from those of this one."""
    files = NewRepository("shop", ("staging",), "1.2.3").files()
    differing = [
        path for path in sources.workflows() if files[f".github/{path}"] != (ROOT / ".github" / path).read_text("utf-8")
    ]

    assert differing == ["actions/setup-adx/action.yml"]
    inputs = yaml.safe_load(files[".github/actions/setup-adx/action.yml"])["inputs"]
    assert inputs["requirements"]["default"] == "requirements.txt"
    assert inputs["programs"]["default"] == ""


def test_a_folder_that_is_not_empty_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Given somebody's file, then the error names it and says what to do, and nothing is written."""
    (tmp_path / "mine.txt").write_text("mine")

    ran = adx("init", ".", "--json", environ=environment(tmp_path.parent / "home"), folder=tmp_path)

    assert ran.code == 1
    error = json.loads(ran.err)["error"]
    assert "is not empty: it holds mine.txt" in error["message"]
    assert "empty or not there yet" in error["next_step"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_clone_will_do(tmp_path: Path) -> None:
    """Given a repository in which nothing is committed yet, then it is taken as it is."""
    (tmp_path / ".git").mkdir()

    assert create(tmp_path, {"tenants/a.yaml": "a"}).is_repository
    assert (tmp_path / "tenants/a.yaml").read_text() == "a"
    assert list((tmp_path / ".git").iterdir()) == []


def test_below_another_repository_it_is_one_of_its_own(tmp_path: Path) -> None:
    """Given a folder in a work tree, then that is said, and the steps that are told commit here and not there."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    # As a hook of the outer repository would: it must not be what is made anew.
    environ = environment(tmp_path.parent / "home", GIT_DIR=str(tmp_path / ".git"))

    ran = adx("init", "below/shop", "--json", environ=environ, folder=tmp_path)

    assert ran.code == 0, ran.err
    told, folder = json.loads(ran.out), tmp_path / "below/shop"
    assert (told["within"], told["next_steps"][:2]) == (
        str(tmp_path),
        [f"cd {folder}", "git add --all && git commit --message Begin"],
    )
    top = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert top.stdout.strip() == str(folder)


@pytest.mark.parametrize(
    ("name", "environments", "told"),
    [
        ("../up", ("staging",), "no name for a repository"),
        ("s" * 41, ("staging",), "no name for a repository"),
        ("shop", ("Staging",), "no name for an environment"),
        ("shop", ("a/b",), "no name for an environment"),
        ("shop", ("staging", "staging"), "named twice"),
    ],
)
def test_names_that_nothing_can_have_are_refused(name: str, environments: tuple[str, ...], told: str) -> None:
    """Given a name that leads elsewhere or is too long, then no file is made of it."""
    with pytest.raises(InitRefused, match=told):
        NewRepository(name, environments, "1.2.3").files()


def test_schemas_follow_an_upgrade_and_nothing_else_does(tmp_path: Path) -> None:
    """Given a repository with an old schema, when they are written anew, then declarations stay as they are."""
    create(tmp_path / "shop", NewRepository("shop", ("staging",), "1.2.3").files())
    schema, services = (
        tmp_path / "shop/schemas/tenant.schema.json",
        tmp_path / "shop/environments/staging/services.yaml",
    )
    schema.write_text("{}")
    services.write_text("mine")

    renew(tmp_path / "shop", sources.schemas())

    assert (len(schema.read_text()) > 1000, services.read_text()) == (True, "mine")
    with pytest.raises(InitRefused, match="has no environments/"):
        renew(tmp_path, sources.schemas())


@pytest.mark.parametrize("link", ["schemas", "schemas/tenant.schema.json"])
def test_schemas_are_written_through_no_link(tmp_path: Path, link: str) -> None:
    """Given a link in a repository, then it is refused, and neither its target nor another schema is written."""
    repository, elsewhere = tmp_path / "shop", tmp_path / "elsewhere"
    create(repository, {"environments/a.yaml": "", "schemas/cell.json": "old"})
    elsewhere.mkdir()
    (elsewhere / "tenant.schema.json").write_text("mine")
    if (repository / link).is_dir():
        (repository / link).rename(repository / "aside")
    (repository / link).symlink_to(elsewhere if link == "schemas" else elsewhere / "tenant.schema.json")

    with pytest.raises(InitRefused, match=f"{link} is a link"):
        renew(repository, {"schemas/cell.json": "new", **sources.schemas()})

    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == {"tenant.schema.json": "mine"}
    assert [path.read_text() for path in repository.rglob("cell.json")] == ["old"]


def test_a_link_that_appears_while_files_are_written_is_not_followed(tmp_path: Path) -> None:
    """Given a link that no earlier look has seen, then opening the file refuses it."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a").symlink_to("mine")
    (tmp_path / "c").symlink_to(".")

    for path in ("a", "c/mine"):
        with pytest.raises(InitRefused, match="is a link"):
            _write(tmp_path, {path: "new"})

    assert (tmp_path / "mine").read_text() == "mine"
