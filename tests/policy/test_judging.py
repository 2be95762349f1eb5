"""From verdicts to findings: severities, thresholds, waivers. The day is given, no clock is read."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from policies.checkov.findings import PolicyFinding
from policies.checkov.judging import judge, unused_waivers
from policies.checkov.policy_set import OwnCheck, PolicySet
from policies.checkov.runner import CheckedObject, RawResults, Verdict
from policies.checkov.spec import EnvironmentPolicies, SwitchedOff
from tests.policy.objects import COMMIT, given, policies, waiver

TODAY = date(2026, 11, 24)


def raw(*failed: str, environment: str = "production", unit: str = "service/cart") -> RawResults:
    """One object on which the checks ``failed`` failed and one other passed."""
    verdicts = [Verdict(check=check, has_passed=False, details=(f"{check} is broken",)) for check in failed]
    checked = CheckedObject(
        environment=environment,
        unit=unit,
        resource="Deployment shop/cart",
        verdicts=(*verdicts, Verdict(check="ADX_K8S_14", has_passed=True)),
    )
    return RawResults(checkov_version="3.3.30", objects=(checked,))


def judged(*failed: str, on: date = TODAY, **changes: Any) -> list[PolicyFinding]:
    """The findings under the policies ``changes``."""
    return judge(raw(*failed), policies(**changes), on)


def test_a_finding_says_what_where_and_how_to_mend_it() -> None:
    """Title and fix come from the catalogue, the detail from the check; what passed is not told."""
    (found,) = judged("ADX_K8S_1")
    assert (found.check, found.severity, found.is_blocking) == ("ADX_K8S_1", "high", True)
    assert (found.environment, found.unit, found.resource) == ("production", "service/cart", "Deployment shop/cart")
    assert (found.detail, found.waiver) == ("ADX_K8S_1 is broken", None)
    assert "version" in found.fix


@pytest.mark.parametrize(
    ("block_from", "is_blocking"), [("low", True), ("medium", True), ("high", False), ("critical", False)]
)
def test_a_finding_blocks_from_the_declared_severity_on(block_from: str, is_blocking: bool) -> None:
    """Below it, it only warns."""
    (found,) = judged("CKV_K8S_22", block_from=block_from)
    assert (found.severity, found.is_blocking) == ("medium", is_blocking)


def test_an_environment_may_be_stricter_than_the_rest() -> None:
    """The threshold of the environment counts before the general one."""
    strict = {"production": EnvironmentPolicies(block_from="medium")}
    assert [found.is_blocking for found in judged("CKV_K8S_22", environments=strict)] == [True]
    elsewhere = judge(raw("CKV_K8S_22", environment="staging"), policies(environments=strict), TODAY)
    assert [found.is_blocking for found in elsewhere] == [False]


def test_a_declared_severity_replaces_that_of_the_catalogue() -> None:
    """Also that of a check that is off: it is no longer told."""
    assert [found.severity for found in judged("CKV_K8S_22", severities={"CKV_K8S_22": "critical"})] == ["critical"]
    off = {"CKV_K8S_22": SwitchedOff(severity="off", reason="we write logs there")}
    assert judged("CKV_K8S_22", severities=off) == []


def test_what_a_check_of_adx_says_better_is_said_once() -> None:
    """checkov's own finding is told only where that of ADX is not."""
    assert [found.check for found in judged("CKV_K8S_14", "ADX_K8S_1")] == ["ADX_K8S_1"]
    assert [found.check for found in judged("CKV_K8S_14")] == ["CKV_K8S_14"]


def test_a_check_of_the_repository_is_of_medium_severity_and_names_itself() -> None:
    """Title and fix are those that checkov loaded."""
    own = OwnCheck(path="policies/checkov/check_a.py", source="", ids=("SHOP_1",))
    results = RawResults(
        checkov_version="3", objects=raw("SHOP_1").objects, loaded={"SHOP_1": ("Carts have owners", "add one")}
    )
    (found,) = judge(results, PolicySet(commit=COMMIT, own_checks=(own,)), TODAY)
    assert (found.severity, found.title, found.fix) == ("medium", "Carts have owners", "add one")


@pytest.mark.parametrize(
    ("expires", "holds"), [("2027-01-01", True), ("2026-11-24", True), ("2026-11-23", False), ("2020-01-01", False)]
)
def test_a_waiver_holds_through_its_last_day_and_then_no_longer(expires: str, holds: bool) -> None:
    """An expired one is named, and the finding blocks again."""
    (found,) = judged("ADX_K8S_1", waivers=(waiver(expires=expires),))
    assert found.waiver is not None
    assert found.waiver.expires == expires
    assert (found.is_blocking, found.is_waiver_expired) == (not holds, not holds)


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"unit": "service/cart"}, True),
        ({"unit": "service/*"}, True),
        ({"unit": "service/ca*"}, True),
        ({"unit": "service/cartography"}, False),
        ({"unit": "service/car"}, False),
        ({"unit": "tenant/*"}, False),
        ({"check": "ADX_K8S_2"}, False),
    ],
)
def test_a_waiver_covers_exactly_what_it_names(fields: dict[str, str], matches: bool) -> None:
    """Check, environment and unit must all fit; what is left out means all."""
    (found,) = judged("ADX_K8S_1", waivers=(waiver(**fields),))
    assert (found.waiver is not None, found.is_blocking) == (matches, not matches)


def test_of_two_waivers_the_one_that_holds_longest_counts() -> None:
    """An old one beside it does no harm."""
    old, new = waiver(expires="2020-01-01"), waiver(expires="2027-01-01", unit="service/cart")
    (found,) = judged("ADX_K8S_1", waivers=(old, new))
    assert (found.waiver, found.is_blocking) == (new, False)


def test_a_waiver_that_matches_nothing_is_unused_once_everything_was_checked() -> None:
    """A preview of one changed unit cannot say so of the others."""
    everywhere, cart, tenants = waiver(), waiver(unit="service/cart"), waiver(unit="tenant/*")
    declared = policies(waivers=(everywhere, cart, tenants))
    part = [given({"service/cart": []}, environment="production")]
    whole = [given({"service/cart": []}, environment="production", is_whole=True)]
    assert unused_waivers((), declared, part) == (cart,)
    assert unused_waivers((), declared, whole) == (everywhere, cart, tenants)
    assert unused_waivers(judge(raw("ADX_K8S_1"), declared, TODAY), declared, whole) == (tenants,)


def test_a_waiver_for_an_environment_that_was_not_looked_at_is_not_called_unused() -> None:
    """Nothing is known about it."""
    declared = policies(waivers=(waiver(environment="staging"),))
    assert unused_waivers((), declared, [given({}, environment="production", is_whole=True)]) == ()


def test_findings_come_with_the_blocking_and_the_most_severe_first() -> None:
    """What must be mended is read first."""
    found = judged("CKV_K8S_8", "CKV_K8S_22", "ADX_K8S_1", "ADX_K8S_9", waivers=(waiver("ADX_K8S_9"),))
    assert [(one.check, one.is_blocking) for one in found] == [
        ("ADX_K8S_1", True),
        ("ADX_K8S_9", False),
        ("CKV_K8S_22", False),
        ("CKV_K8S_8", False),
    ]
