"""A finding is told at the line of the declaration that caused it."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.checkov.findings import PolicyFinding
from policies.checkov.places import placed
from policies.git_tree import GitTree
from tests.loading.repositories import Repository, base_files


@pytest.fixture
def tree(tmp_path: Path) -> GitTree:
    """The base declarations, with one tenant that names where its data stays, and one broken file."""
    repository = Repository(tmp_path / "repository.git")
    files = base_files()
    files["tenants/acme.yaml"] += b"compliance:\n  data_residency: eu\n"
    files["tenants/broken.yaml"] = b"a: [\n"
    return GitTree.open(repository.path, repository.commit(files))


def found(check: str, unit: str, environment: str = "production") -> PolicyFinding:
    """A finding without a place."""
    texts = dict.fromkeys(("title", "resource", "file", "path", "fix"), "")
    return PolicyFinding(
        check=check, unit=unit, environment=environment, severity="high", line=0, column=0, is_blocking=True, **texts
    )


@pytest.mark.parametrize(
    ("check", "unit", "place", "line_begins"),
    [
        ("ADX_K8S_1", "service/checkout", "services.yaml services[1].version", "version: v1.4.1"),
        ("ADX_K8S_2", "service/frontend", "services.yaml services[0].resources", "resources:"),
        ("ADX_K8S_13", "service/frontend", "services.yaml services[0].replicas", "replicas: 2"),
        ("ADX_K8S_13", "service/checkout", "services.yaml services[1].autoscaling", "autoscaling:"),
        ("CKV_K8S_9", "service/store", "services.yaml services[2].probes", "probes:"),
        ("CKV_K8S_22", "service/store", "services.yaml services[2].writable_paths", "- name: store"),
        ("ADX_K8S_5", "service/store", "services.yaml services[2]", "- name: store"),
        ("SHOP_1", "service/store", "services.yaml services[2]", "- name: store"),
        ("ADX_K8S_10", "platform", "environment.yaml namespace", "namespace:"),
        ("ADX_K8S_14", "platform", "environment.yaml name", "name: production"),
    ],
)
def test_the_place_is_the_field_that_caused_it_or_the_unit(
    tree: GitTree, check: str, unit: str, place: str, line_begins: str
) -> None:
    """Where a field is missing, the service that lacks it is shown."""
    (here,) = placed([found(check, unit)], tree)
    assert f"{here.file} {here.path}" == f"environments/production/{place}"
    line = tree.read(here.file).decode().splitlines()[here.line - 1]
    assert line.strip().startswith(line_begins)
    assert here.column == len(line) - len(line.lstrip()) + 1 + _into(line, here)


def _into(line: str, here: PolicyFinding) -> int:
    """How far into its line a place lies: at the value of a plain field, behind the dash of an item."""
    stripped = line.strip()
    field = here.path.rpartition(".")[2]
    if stripped.startswith("- "):
        return 2
    is_plain = stripped.startswith(f"{field}: ") and stripped[len(field) + 2] not in "{["
    return len(field) + 2 if is_plain else 0


def test_a_tenant_is_shown_at_what_its_contract_demands(tree: GitTree) -> None:
    """Where it demands nothing, at its name."""
    (residency, other) = placed([found("ADX_K8S_11", "tenant/acme"), found("ADX_K8S_3", "tenant/acme")], tree)
    lines = tree.read("tenants/acme.yaml").decode().splitlines()
    assert (residency.file, residency.path) == ("tenants/acme.yaml", "compliance.data_residency")
    assert lines[residency.line - 1] == "  data_residency: eu"
    assert lines[other.line - 1] == "name: acme"


def test_a_file_that_is_gone_or_cannot_be_read_is_named_without_a_line(tree: GitTree) -> None:
    """A finding is never lost for want of a place."""
    (gone, broken) = placed([found("ADX_K8S_3", "tenant/gone"), found("ADX_K8S_3", "tenant/broken")], tree)
    assert (gone.file, gone.line) == ("tenants/gone.yaml", 0)
    assert (broken.file, broken.line) == ("tenants/broken.yaml", 0)
