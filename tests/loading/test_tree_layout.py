"""Which files are declarations, and what is said about those that are not."""

from __future__ import annotations

import pytest

from policies.errors import Problem
from policies.tree import MODE_SUBMODULE, MODE_SYMLINK, Entry
from policies.tree_layout import ENVIRONMENT_KINDS, layout_of

WHOLE = [f"environments/production/{kind}.yaml" for kind in ENVIRONMENT_KINDS]

REFUSED = {
    "a tenant named ../x": ("tenants/../x.yaml", "leads out"),
    "an absolute path": ("/tenants/x.yaml", "leads out"),
    "an empty part": ("tenants//x.yaml", "leads out"),
    "a backslash": ("tenants/..\\x.yaml", "leads out"),
    "a hidden character": ("tenants/ac\u200bme.yaml", "not printable ASCII"),
    "a look-alike letter": ("tenants/\u0430cme.yaml", "not printable ASCII"),
    "a line break": ("tenants/a\nb.yaml", "not printable ASCII"),
    "bytes that are no UTF-8": ("tenants/\udce9.yaml", "not printable ASCII"),
    "an upper-case tenant": ("tenants/Acme.yaml", "no name for a tenant"),
    "a tenant that looks like an option": ("tenants/-rf.yaml", "no name for a tenant"),
    "a tenant of 41 letters": (f"tenants/{'a' * 41}.yaml", "no name for a tenant"),
    "a tenant in a folder": ("tenants/acme/tenant.yaml", "no declaration has this name"),
    "an environment of 21 letters": (f"environments/{'a' * 21}/flags.yaml", "no name for an environment"),
    "an editor's backup": ("tenants/acme.yaml~", "no declaration has this name"),
    "an editor's swap file": ("environments/production/.flags.yaml.swp", "no declaration has this name"),
    "a file beside the environments": ("environments/flags.yaml", "no declaration has this name"),
    "a document of another system": ("environments/production/secrets.yaml", "no declaration has this name"),
    "a shell script": ("environments/production/run.sh", "no declaration has this name"),
}


def problems_of(*entries: Entry | str) -> list[Problem]:
    """What is wrong with a whole environment and ``entries``."""
    made = [entry if isinstance(entry, Entry) else Entry(entry, "0", 0o100644, 1) for entry in (*WHOLE, *entries)]
    return list(layout_of({entry.path: entry for entry in made}).problems)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """The file is named in printable letters, and it is said what is wrong with it."""
    path, what = REFUSED[name]
    (problem,) = problems_of(path)
    assert what in problem.what
    assert problem.file.isascii()
    assert problem.file.isprintable()
    assert problem.fix


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "environments/README.md",
        "environments/production/README.md",
        "tenants/README.md",
        "environments/Pulumi.production.yaml",
    ],
)
def test_what_is_no_declaration_but_has_its_place_is_left_alone(path: str) -> None:
    """Notes for people and Pulumi's own settings are neither read nor refused."""
    entries = {path: Entry(path, "0", 0o100644, 1)} if path != "README.md" else {}
    layout = layout_of({**{name: Entry(name, "0", 0o100644, 1) for name in WHOLE}, **entries})
    assert layout.problems == ()
    assert path not in [one.path for one in layout.declared]


def test_declarations_get_their_kind_and_name_from_their_path() -> None:
    """Given four documents and a tenant, each is known by what its path says."""
    entries = {path: Entry(path, "0", 0o100755, 1) for path in [*WHOLE, "tenants/acme.yaml"]}
    declared = [(one.kind, one.name) for one in layout_of(entries).declared]
    assert declared == [*((kind, "production") for kind in ENVIRONMENT_KINDS), ("tenant", "acme")]


@pytest.mark.parametrize("path", ["tenants/acme.yaml", "environments/production/flags.yaml", "environments", "tenants"])
def test_a_symbolic_link_is_refused_wherever_it_stands(path: str) -> None:
    """A link in place of a file, of a folder, or of the parent of everything."""
    problems = problems_of(Entry(path, "0", MODE_SYMLINK, 10))
    assert "this is a symbolic link" in [problem.what for problem in problems if problem.file == path]


def test_a_submodule_is_refused() -> None:
    """Another repository's content is not part of this commit."""
    (problem,) = problems_of(Entry("tenants/vendor", "0", MODE_SUBMODULE, 0))
    assert "submodule" in problem.what


def test_names_that_differ_only_in_case_are_refused() -> None:
    """Some file systems would keep one of the two."""
    found = problems_of("tenants/acme.yaml", "tenants/ACME.yaml")
    assert any(problem.rule == "tree.case" and "tenants/acme.yaml" in problem.what for problem in found)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("environments/production/flag.yaml", "flags.yaml"),
        ("environments/production/service.yaml", "services.yaml"),
        ("environments/production/flags.yml", "flags.yaml"),
        ("tenants/acme.yml", "acme.yaml"),
    ],
)
def test_an_unknown_file_is_answered_with_the_nearest_known_name(path: str, nearest: str) -> None:
    """A slip of the pen is named as one."""
    (problem,) = problems_of(path)
    assert f"rename it to {nearest}" in problem.fix


def test_a_missing_document_of_an_environment_is_named() -> None:
    """Given an environment of three documents, the fourth is asked for by its path."""
    entries = {path: Entry(path, "0", 0o100644, 1) for path in WHOLE if not path.endswith("flags.yaml")}
    (problem,) = layout_of(entries).problems
    assert (problem.file, problem.rule) == ("environments/production/flags.yaml", "tree.missing-file")


def test_a_tree_without_environments_is_refused() -> None:
    """A folder that holds something else entirely is not found valid."""
    (problem,) = layout_of({}).problems
    assert (problem.file, problem.rule) == ("environments", "tree.no-environment")
