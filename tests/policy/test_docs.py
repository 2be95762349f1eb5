"""docs/policies.md says what there is: every check, and an example that can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from policies.checkov.catalogue import CATALOGUE
from policies.checkov.documents import problems_of, read_policies
from policies.checkov.policy_set import load_policies
from policies.checkov.rules import RULES
from policies.checkov.runner import run_checks
from tests.loading.repositories import Repository, base_files
from tests.policy.objects import given, policies, service_objects

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
CHECKS, LEFT_OUT = PAGE.split("<!-- checks -->")[1].split("<!-- /checks -->")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_lists_every_check_with_its_severity_and_fix() -> None:
    """In the order of the catalogue, so that a new check cannot be forgotten."""
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in CHECKS.strip().splitlines()[2:]]
    told = [(row[0].strip("`"), row[1].partition(" (with ")[0], row[2], row[3]) for row in rows]
    assert told == [(check.id, check.title, check.severity, check.fix) for check in CATALOGUE.values()]


def test_every_rule_is_in_the_catalogue() -> None:
    """A rule without a severity and a fix would be run by nobody."""
    assert set(RULES) == {id_ for id_ in CATALOGUE if id_.startswith("ADX_")}
    assert {check.covered_by for check in CATALOGUE.values()} - {""} <= set(RULES)


def test_somebody_decided_about_every_check_that_checkov_has(checkov_python: Path) -> None:
    """Given the locked checkov, each Kubernetes check is either in the catalogue or left out with a reason."""
    loaded = run_checks([given({"service/cart": service_objects()})], policies(), checkov_python).loaded
    left_out = set(re.findall(r"CKV_K8S_[0-9]+", LEFT_OUT))
    assert left_out.isdisjoint(CATALOGUE)
    assert set(CATALOGUE) | left_out == set(loaded)


def test_the_example_is_valid() -> None:
    """Whoever copies it begins with something that works."""
    (example,) = _blocks("yaml")
    assert problems_of(example.encode()) == []
    spec = read_policies(example.encode())
    assert spec is not None
    assert (spec.threshold("production"), spec.waivers[0].unit) == ("medium", "service/legacy-*")


def test_the_check_in_the_example_runs(tmp_path: Path, checkov_python: Path) -> None:
    """From the page into a repository, through checkov, to a verdict."""
    (source,) = _blocks("python")
    repository = Repository(tmp_path / "repository.git")
    commit = repository.commit({**base_files(), "policies/checkov/check_owner.py": source.encode()})
    units = {"service/cart": service_objects()}
    results = run_checks([given(units)], load_policies(repository.path, commit), checkov_python)
    verdicts = [verdict for one in results.objects for verdict in one.verdicts if verdict.check == "SHOP_1"]
    assert [verdict.has_passed for verdict in verdicts] == [True]
    assert results.loaded["SHOP_1"] == ("Deployments have an owner", "add it")
