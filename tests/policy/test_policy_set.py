"""Policies as a commit has them: read from git, every fault with its place, never from the head."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policies.checkov.judging import judge
from policies.checkov.policy_set import PolicySet, edits_policies, load_policies
from policies.checkov.runner import CheckedObject, RawResults, Verdict
from policies.checkov.spec import PoliciesSpec
from policies.errors import DeclarationError, Problem
from tests.loading.repositories import Files, Repository, base_files, symlink
from tests.policy.objects import waiver

FILE = "policies/policies.yaml"
HEAD = "apiVersion: adx/v1\nkind: Policies\n"
OWN = b'class A:\n    id = "SHOP_1"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty bare repository. Its commits are of 1970-01-01."""
    return Repository(tmp_path / "repository.git")


def loaded(repository: Repository, text: str = "", **files: bytes) -> PolicySet:
    """The policies of a commit with ``text`` after the head of policies.yaml; ``files`` are own checks by name."""
    own: Files = {f"policies/checkov/{name}.py": data for name, data in files.items()}
    commit = repository.commit({**base_files(), FILE: (HEAD + text).encode(), **own})
    return load_policies(repository.path, commit)


def problems(repository: Repository, text: str, **files: bytes) -> list[Problem]:
    """What is wrong with such a commit."""
    with pytest.raises(DeclarationError) as refused:
        loaded(repository, text, **files)
    return list(refused.value.problems)


def told(repository: Repository, text: str) -> list[tuple[str, str, str]]:
    """Place, what and fix of each problem."""
    return [(f"{p.file}:{p.line}:{p.column} {p.path}", p.what, p.fix) for p in problems(repository, text)]


def waiver_text(**fields: str) -> str:
    """One waiver, valid but for ``fields``."""
    values = {"check": "ADX_K8S_1", "owner": "team-shop", "reason": "It is old.", "expires": '"1970-06-01"', **fields}
    return "waivers:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in values.items()) + "\n"


def test_a_repository_without_policies_has_the_defaults(repository: Repository) -> None:
    """High findings block, nothing is waived, checks have their own severities."""
    found = load_policies(repository.path, repository.commit(base_files()))
    assert found.spec == PoliciesSpec()
    assert (found.severity("ADX_K8S_9"), found.severity("CKV_K8S_43")) == ("critical", "off")
    assert "CKV_K8S_43" not in found.checks()


def test_everything_that_can_be_declared_is_read(repository: Repository) -> None:
    """Severities, a check that is switched off and one switched on, bounds, waivers, checks of its own."""
    text = """\
block_from: critical
severities:
  CKV_K8S_43: low
  CKV_K8S_8: {severity: "off", reason: Nothing here can be probed.}
  SHOP_1: high
environments:
  production: {block_from: medium, replicas: {max_change_percent: 50, max: 20}}
"""
    found = loaded(repository, text + waiver_text(environment="production", unit="service/*"), check_owner=OWN)
    assert [found.severity(check) for check in ("CKV_K8S_43", "CKV_K8S_8", "SHOP_1")] == ["low", "off", "high"]
    assert (found.spec.threshold("production"), found.spec.threshold("development")) == ("medium", "critical")
    assert found.spec.environments["production"].replicas.max == 20
    assert found.spec.waivers[0].unit == "service/*"
    assert found.own_ids() == ("SHOP_1",)
    assert {"SHOP_1", "CKV_K8S_43"} <= set(found.checks())
    assert "CKV_K8S_8" not in found.checks()


@pytest.mark.parametrize(
    ("text", "place", "what", "fix"),
    [
        ("block_frm: high\n", "3:1 block_frm", "the key block_frm is not known", "write block_from"),
        ("block_from: hihg\n", "3:13 block_from", '"hihg" is not allowed here', "write high"),
        ("severities:\n  ADX_K8S_1: hgh\n", "4:14 severities.ADX_K8S_1", '"hgh" is not allowed here', "write high"),
        ("severities:\n  ADX_K8S_1: off\n", "4:14 severities.ADX_K8S_1", "truth value", "quote it"),
        ('severities:\n  ADX_K8S_1: "off"\n', "4:14 severities.ADX_K8S_1", "not allowed here", "low, medium"),
        ('severities:\n  ADX_K8S_1: {severity: "off"}\n', "4:3 severities.ADX_K8S_1", "reason is missing", "add"),
        ("severities:\n  ADX_K8_1: low\n", "4:3 severities.ADX_K8_1", "there is no check", "write ADX_K8S_1"),
        ("severities:\n  CKV_K8S_1: low\n", "4:3 severities.CKV_K8S_1", "there is no check", "write CKV_K8S_"),
        ("environments:\n  prodution: {}\n", "4:3 environments.prodution", "there is no environment", "production"),
        (waiver_text(owner='" "'), "5:12 waivers[0].owner", "not have the form", "a team or a person"),
        (waiver_text(reason='""'), "6:13 waivers[0].reason", "not have the form", "Why it may stay"),
        (waiver_text(expires='"1970-02-30"'), "7:14 waivers[0].expires", "there is no such day", "YYYY-MM-DD"),
        (waiver_text(expires='"1971-01-03"'), "7:14 waivers[0].expires", "more than a year", "1971-01-02 or earlier"),
        (waiver_text(expires="1970-02-03"), "7:14 waivers[0].expires", "YAML 1.1 makes a date", "quote it"),
        (waiver_text(check="ADX_K8S_99"), "4:12 waivers[0].check", "there is no check ADX_K8S_99", "ADX_K8S_9"),
        (waiver_text(environment="staging"), "8:18 waivers[0].environment", "no environment staging", "known: "),
        (waiver_text(unit="cart"), "8:11 waivers[0].unit", "not have the form", "service/<name>"),
        ("block_from: [\n", "4:1 ", "this is not YAML", "look at the indentation"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_what_would_be_right(
    repository: Repository, text: str, place: str, what: str, fix: str
) -> None:
    """As for declarations: file, line, column, the path in the document, the nearest right word."""
    found = told(repository, text)
    assert len(found) == 1
    assert found[0][0] == f"{FILE}:{place}"
    assert what in found[0][1]
    assert fix in found[0][2]


def test_all_faults_are_told_at_once(repository: Repository) -> None:
    """Not one a round."""
    text = "severities:\n  NO_1: low\nenvironments:\n  moon: {}\n" + waiver_text(check="NO_2")
    assert [problem.rule for problem in problems(repository, text)] == [
        "policies.check-exists",
        "policies.environment-exists",
        "policies.check-exists",
    ]


def test_a_waiver_may_last_until_a_year_after_its_commit(repository: Repository) -> None:
    """The day of the commit never changes, so what was right once stays right."""
    assert loaded(repository, waiver_text(expires='"1971-01-02"')).spec.waivers[0].expires == "1971-01-02"


def test_a_secret_in_a_wrong_place_is_not_repeated(repository: Repository) -> None:
    """A canary put where a severity belongs is not in any message."""
    canary = "ghp_" + "c" * 36
    found = problems(repository, f"severities:\n  ADX_K8S_1: {canary}\n{canary}: 1\n")
    assert found
    assert canary not in repr(found)


@pytest.mark.parametrize("path", [FILE, "policies", "policies/checkov", "policies/checkov/check_owner.py"])
def test_a_link_is_refused_wherever_it_stands(repository: Repository, path: str) -> None:
    """Otherwise policies could come from outside the repository, or quietly be none."""
    commit = repository.commit({**base_files(), path: symlink("elsewhere")})
    with pytest.raises(DeclarationError) as refused:
        load_policies(repository.path, commit)
    assert [(found.file, found.rule) for found in refused.value.problems] == [(path, "policies.link")]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (b"def broken(:\n", "this is not Python"),
        (b"\xff\xfe", "this is not Python"),
        (b"x = 1\n", "no id of a check"),
        (b'id = "CKV_K8S_14"\n', "is not yours to give"),
        (b'id = "ADX_K8S_1"\n', "is not yours to give"),
    ],
)
def test_a_wrong_check_of_the_repository_is_refused(repository: Repository, source: bytes, what: str) -> None:
    """It is read, not run, to know its ids; ids of others are not its to take."""
    found = problems(repository, "", check_owner=source)
    assert [(problem.file, problem.rule) for problem in found] == [
        ("policies/checkov/check_owner.py", "policies.own-check")
    ]
    assert what in found[0].what


def test_an_id_belongs_to_one_file(repository: Repository) -> None:
    """checkov would silently keep one of two checks."""
    found = problems(repository, "", check_a=OWN, check_b=OWN)
    assert ["already in policies/checkov/check_a.py" in problem.what for problem in found] == [True]


def test_other_modules_beside_the_checks_are_left_alone(repository: Repository) -> None:
    """Only files called check_… are run."""
    assert loaded(repository, "", helper=b"import nothing_there\n").own_checks == ()


def test_a_waiver_added_by_the_head_has_no_effect(repository: Repository) -> None:
    """Given a head that waives its own finding, the policies of the base still block it, and the edit is named."""
    base = repository.commit({**base_files(), FILE: HEAD.encode()})
    excused = {**base_files(), FILE: (HEAD + waiver_text(expires='"1970-12-31"')).encode()}
    head = repository.commit({**excused, "policies/checkov/check_own.py": OWN}, parents=(base,))
    raw = RawResults(
        checkov_version="3",
        objects=(
            CheckedObject(
                environment="production",
                unit="service/store",
                resource="Deployment store",
                verdicts=(Verdict(check="ADX_K8S_1", has_passed=False),),
            ),
        ),
    )
    today = date(1970, 1, 2)
    by_base = judge(raw, load_policies(repository.path, base), today)
    by_head = judge(raw, load_policies(repository.path, head), today)
    assert [found.is_blocking for found in by_base] == [True]
    assert [found.is_blocking for found in by_head] == [False]
    assert edits_policies(repository.path, base, head) == ("policies/checkov/check_own.py", FILE)


def test_a_head_that_leaves_policies_alone_edits_none(repository: Repository) -> None:
    """Other files do not count, nor do other modules in the folder."""
    base = repository.commit({**base_files(), FILE: HEAD.encode()})
    changed: Files = {**base_files(), FILE: HEAD.encode(), "policies/checkov/helper.py": b"", "tenants/README.md": b"x"}
    assert edits_policies(repository.path, base, repository.commit(changed, parents=(base,))) == ()


def test_what_lies_uncommitted_is_not_read(repository: Repository, tmp_path: Path) -> None:
    """Given a checkout with another policies.yaml in it, the commit's own is what counts."""
    commit = repository.commit({**base_files(), FILE: HEAD.encode()})
    checkout = tmp_path / "checkout"
    repository.git("clone", "-q", str(repository.path), str(checkout))
    (checkout / FILE).write_text(HEAD + "block_from: critical\n")
    assert load_policies(checkout, commit).spec.block_from == "high"


def test_waivers_for_the_tests_are_like_those_that_are_read(repository: Repository) -> None:
    """What the other tests judge with is what a file would give."""
    text = waiver_text(owner="team-checkout", reason="it is being replaced", expires='"1970-12-31"')
    assert loaded(repository, text).spec.waivers == (waiver(expires="1970-12-31"),)
