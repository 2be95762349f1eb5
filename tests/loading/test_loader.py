"""All problems of all files at once, each where a person looks for it, with what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from policies.errors import DeclarationError, Problem
from policies.folder_tree import FolderTree
from policies.loader import load, load_documents, load_environment
from policies.tenancy.spec import TenantSpec
from tests.loading.repositories import base_files, write_folder

ACME = base_files()["tenants/acme.yaml"]
SERVICES = "environments/production/services.yaml"


def problems_of(folder: Path, changed: Mapping[str, bytes | None]) -> tuple[Problem, ...]:
    """What is wrong with the base after ``changed`` (None removes a file); empty when nothing is."""
    files = {**base_files(), **{path: data for path, data in changed.items() if data is not None}}
    removed = {path for path, data in changed.items() if data is None}
    write_folder(folder, {path: data for path, data in files.items() if path not in removed})
    try:
        load(FolderTree(folder))
    except DeclarationError as error:
        return error.problems
    return ()


def edited(data: bytes, before: str, after: str) -> bytes:
    """``data`` with one place changed."""
    assert data.count(before.encode()) == 1, before
    return data.replace(before.encode(), after.encode())


# name: (before, after) in acme.yaml, line and column, path, what, fix
SHAPE: dict[str, tuple[str, str, tuple[int, int], str, str, str]] = {
    "an unknown key, with the nearest known one": (
        "display_name:", "displayname:", (4, 1), "displayname", "not known", "write display_name",
    ),
    "an unknown key in a nested mapping": (
        "pods: 20", "pod: 20", (8, 57), "resource_limits.pod", "not known", "write pods",
    ),
    "an unknown key that resembles none": (
        "owner: team-accounts", "owner: team-accounts\nzzz: 1", (6, 1), "zzz", "not known", "remove it; known here",
    ),
    "a missing key": ("owner: team-accounts\n", "", (1, 1), "", "owner is missing", "add owner, for example owner:"),
    "a value outside an enumeration, with the nearest": (
        "schema_per_tenant", "schema_per_tennant", (6, 21), "isolation_strategy", "not allowed", "schema_per_tenant",
    ),
    "a number where a text belongs": (
        'cpu: "2"', "cpu: 2", (8, 24), "resource_limits.cpu", "a text is expected here, this is a number", "quote it",
    ),
    "a text where a number belongs": (
        "pods: 20", 'pods: "20"', (8, 63), "resource_limits.pods", "a whole number is expected", "without quotes",
    ),
    "a text where a list belongs": (
        "services: [frontend]", "services: frontend", (11, 13), "network.services", "a list is expected", "a list",
    ),
    "nothing where a mapping belongs": (
        "database: {engine: postgresql, name: shop, schema: acme}", "database:", (7, 10), "database", "this is nothing",
        "write a mapping",
    ),
    "a number out of bounds": (
        "port: 443", "port: 70000", (12, 41), "network.egress[0].port", "above 65535", "65535 or less",
    ),
    "a name of the wrong form": (
        "owner: team-accounts", "owner: Team Accounts", (5, 8), "owner", "does not have the form", "Lower-case letters",
    ),
    "a key of the wrong form": (
        "overrides:\n  production:", "overrides:\n  Production:", (14, 3), "overrides.Production", "is no name here",
        "match",
    ),
    "a list with something twice": (
        "[development, production]", "[development, development]", (9, 1), "environments", "there twice", "keep one",
    ),
    "the wrong kind for the path": ("kind: Tenant", "kind: Services", (2, 7), "kind", "not allowed", "write Tenant"),
    "another version of the format": ("adx/v1", "adx/v2", (1, 13), "apiVersion", "not allowed", "write adx/v1"),
    "a name that is not the file's": ("name: acme\nd", "name: acne\nd", (3, 7), "name", "its file is acme", "acme"),
    "an environment that does not exist": (
        "[development, production]", "[development, producton]", (9, 29), "environments[1]", "no environment",
        "production",
    ),
    "an override of nothing": (
        "{CURRENCY: USD}", "{CURENCY: USD}", (15, 41), "overrides.production.configuration.frontend.CURENCY",
        "has no CURENCY", "CURRENCY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPE)
def test_found(name: str, tmp_path: Path) -> None:
    """The place, what is wrong and what would be right."""
    before, after, place, path, what, fix = SHAPE[name]
    problems = problems_of(tmp_path, {"tenants/acme.yaml": edited(ACME, before, after)})
    matching = [problem for problem in problems if what in problem.what]
    assert matching, problems
    problem = matching[0]
    assert (problem.file, (problem.line, problem.column), problem.path) == ("tenants/acme.yaml", place, path)
    assert fix in problem.fix


def test_all_problems_of_all_files_come_at_once_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    """Given faults of every sort in several files, one run finds them all."""
    changed = {
        "tenants/acme.yaml": edited(edited(ACME, "pods: 20", "pods: -1"), "owner: team", "ownr: team"),
        "tenants/broken.yaml": b"a: [1\n",
        "tenants/globex.yaml": edited(base_files()["tenants/globex.yaml"], "display_name: Globex", "display_name: no"),
        "tenants/notes.txt": b"hello",
        SERVICES: base_files()[SERVICES] + b"extra: 1\n",
    }
    problems = problems_of(tmp_path, changed)
    assert list(problems) == sorted(problems, key=lambda found: (found.file, found.line, found.column))
    assert [(problem.file.split("/")[-1], problem.rule) for problem in problems] == [
        ("services.yaml", "schema"),
        ("acme.yaml", "schema"),
        ("acme.yaml", "schema"),
        ("acme.yaml", "schema"),
        ("broken.yaml", "yaml.syntax"),
        ("globex.yaml", "yaml.ambiguous"),
        ("notes.txt", "tree.unknown-file"),
    ]


def test_faults_of_form_and_rules_in_other_files_are_found_together(tmp_path: Path) -> None:
    """Given one tenant that cannot be read and one that breaks a rule, both are reported."""
    changed = {
        "tenants/globex.yaml": b"a: [1\n",
        "tenants/acme.yaml": edited(ACME, "[development, production]", "[development, producton]"),
    }
    rules = {problem.rule for problem in problems_of(tmp_path, changed)}
    assert {"yaml.syntax", "tenancy.environment-exists"} <= rules


def test_a_broken_environment_does_not_make_its_tenants_wrong(tmp_path: Path) -> None:
    """Given an environment that cannot be read, nobody is told that it does not exist."""
    problems = problems_of(tmp_path, {SERVICES: b"services: [\n"})
    assert [(problem.file, problem.rule) for problem in problems] == [(SERVICES, "yaml.syntax")]


def test_a_broken_tenant_does_not_make_the_flags_wrong_that_name_it(tmp_path: Path) -> None:
    """Given a flag for a tenant whose file cannot be read, only the file is reported."""
    problems = problems_of(tmp_path, {"tenants/acme.yaml": b"a: [1\n", "tenants/globex.yaml": b"a: [1\n"})
    assert {problem.rule for problem in problems} == {"yaml.syntax"}


def test_missing_environments_and_documents_are_problems(tmp_path: Path) -> None:
    """A missing document is named; a repository without any environment is refused."""
    (missing,) = problems_of(tmp_path / "one", {SERVICES: None})
    assert (missing.file, missing.rule) == (SERVICES, "tree.missing-file")
    (tmp_path / "two").mkdir()
    nothing = problems_of(tmp_path / "two", dict.fromkeys(base_files()))
    assert [problem.rule for problem in nothing] == ["tree.no-environment"]


def test_an_ambiguous_value_is_reported_once(tmp_path: Path) -> None:
    """Given ``no`` where a number belongs, it is not also called a text."""
    problems = problems_of(tmp_path, {"tenants/acme.yaml": edited(ACME, "pods: 20", "pods: no")})
    assert [(problem.rule, problem.path) for problem in problems] == [("yaml.ambiguous", "resource_limits.pods")]


def test_valid_declarations_become_typed_models_by_name(tmp_path: Path) -> None:
    """Environments and tenants by the names of their folders and files."""
    declarations = load(FolderTree(write_folder(tmp_path, base_files())))
    assert list(declarations.environments) == ["development", "production"]
    assert isinstance(declarations.tenants["acme"], TenantSpec)
    with pytest.raises(AttributeError):
        declarations.tenants["acme"].name = "other"  # type: ignore[misc] - that it cannot be set is the point


def test_one_environment_s_document_can_be_read_alone(tmp_path: Path) -> None:
    """For whoever needs its rules and nothing else; a missing or broken one is a declaration error."""
    tree = FolderTree(write_folder(tmp_path, base_files() | {"environments/production/environment.yaml": b"a: no\n"}))
    assert load_environment(tree, "development").name == "development"
    with pytest.raises(DeclarationError) as missing:
        load_environment(tree, "staging")
    assert missing.value.problems[0].rule == "tree.missing-file"
    with pytest.raises(DeclarationError) as broken:
        load_environment(tree, "production")
    assert broken.value.problems[0].rule == "yaml.ambiguous"
    with pytest.raises(DeclarationError):
        load_documents(tree, ["tenants/../acme.yaml"])


def test_the_number_of_problems_of_one_file_is_bounded(tmp_path: Path) -> None:
    """Given thousands of unknown keys, the report stays readable."""
    junk = b"".join(b"k%d: 1\n" % number for number in range(5_000))
    assert len(problems_of(tmp_path, {"tenants/acme.yaml": ACME + junk})) <= 101


def test_every_problem_says_what_would_be_right(tmp_path: Path) -> None:
    """No problem without a fix and a rule, whatever is wrong."""
    changed = {f"tenants/t{number}.yaml": edited(ACME, case[0], case[1]) for number, case in enumerate(SHAPE.values())}
    for problem in problems_of(tmp_path, changed):
        assert problem.fix
        assert problem.rule
        assert msgspec.json.encode(problem)
