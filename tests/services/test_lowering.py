"""A version that is lower than before is refused, unless somebody says anew why. Pure."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.preview.lowering import lowered_services
from policies.change_set import ChangeSet, diff
from policies.desired_state import Unit
from policies.lowered_versions import lowered_versions
from policies.services.lowering import lowering
from policies.services.spec import ServiceSpec
from tests.preview.examples import changed, shop
from tests.support.accepting import accepted
from tests.support.desired import desired_state, service_spec, service_unit
from workflows.errors import RolloutRefused
from workflows.rollout.models import REFUSALS
from workflows.rollout.plan import check_no_lowering

WHY = "1.5.0 loses carts under load."


def cart(version: str, **more: object) -> ServiceSpec:
    """The cart in a version."""
    return msgspec.structs.replace(service_spec(), version=version, **more)


def changes(before: list[Unit], after: list[Unit]) -> ChangeSet:
    """From one set of units to another."""
    return diff(desired_state("test", *before), desired_state("test", *after))


def lowered(*names: str) -> ChangeSet:
    """Services that are all lowered without a word."""
    before, after = (
        [service_unit(spec=service_spec(name, version=version)) for name in names] for version in ("v1.5.0", "v1.4.9")
    )
    return changes(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (cart("v1.5.0"), cart("v1.4.9")),
        (cart("v1.5.0"), cart("v1.4.2-3-g3f2a1b0")),
        (cart("v1.5.0-9-g3f2a1b0"), cart("v1.4.9")),
        (cart("v1.10.0"), cart("v1.9.0")),
        (cart("edge-7", semantic_version="2.0.0"), cart("edge-8", semantic_version="2.0.0-rc.1")),
        (cart("edge-7", semantic_version="2.0.0"), cart("edge-8", semantic_version="1.9.9")),
        (cart("v1.5.0"), cart("edge-8", semantic_version="1.4.0")),
    ],
)
def test_a_lower_version_without_a_word_is_refused(before: ServiceSpec, after: ServiceSpec) -> None:
    """By precedence, not by the look of the tags."""
    found = lowering(before, after)
    assert found is not None
    assert found.startswith("cart would be lowered from ")
    assert found.endswith(" without saying so")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (cart("v1.4.9"), cart("v1.5.0")),
        (cart("v1.5.0"), cart("1.5.0")),
        (cart("1.5.0", semantic_version="1.5.0+1"), cart("1.5.0", semantic_version="1.5.0+0")),
        (cart("v1.5.0"), cart("edge-8")),
        (cart("edge-8"), cart("v1.4.0")),
        (cart("v1.5.0"), cart("v1.4.9", allow_downgrade=WHY)),
        (cart("v1.5.0", allow_downgrade=WHY), cart("v1.4.9", allow_downgrade="1.5.0 forgets carts as well.")),
    ],
)
def test_what_is_not_lower_or_says_why_passes(before: ServiceSpec, after: ServiceSpec) -> None:
    """The same version in another build is not lower; what cannot be compared is not judged."""
    assert lowering(before, after) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (cart("v1.4.2"), cart("v1.4.2-1-g3f2a1b0")),
        (cart("v1.4.2-9-g3f2a1b0"), cart("v1.4.2-10-g8d1e77a")),
        (cart("7.4.2-debian-12-r9"), cart("7.4.2-debian-12-r10")),
        (cart("1.5.0"), cart("1.5.0-rc.1")),
        (cart("edge-7", semantic_version="1.4.2"), cart("v1.4.2-1-g3f2a1b0")),
        (cart("v1.4.2-9-g3f2a1b0"), cart("edge-8", semantic_version="1.4.2-10")),
    ],
)
def test_what_follows_the_release_in_a_tag_is_not_judged(before: ServiceSpec, after: ServiceSpec) -> None:
    """Tags count builds and revisions there, which semantic versions would take for pre-releases."""
    assert lowering(before, after) is None


def test_a_reason_counts_once() -> None:
    """One that was given before would allow every lowering to come."""
    found = lowering(cart("v1.5.0", allow_downgrade=WHY), cart("v1.4.9", allow_downgrade=WHY))
    assert (
        found
        == "cart would be lowered from 1.5.0 to 1.4.9; its allow_downgrade is that of 1.5.0 already, and counts once"
    )


def test_services_that_come_or_go_are_not_lowered() -> None:
    """There is nothing to compare with."""
    one, other = (service_unit(spec=service_spec(name)) for name in ("cart", "ads"))
    assert lowered_versions(changes([one], [other])) == ()


def test_a_rollout_refuses_and_says_what_to_do() -> None:
    """Nothing but the message reaches the ledger, so it says everything."""
    with pytest.raises(RolloutRefused) as refused:
        check_no_lowering(lowered("cart", "ads"))
    message = str(refused.value)
    assert "ads would be lowered from 1.5.0 to 1.4.9 without saying so; cart would be lowered" in message
    assert "allow_downgrade of the service" in message
    assert "semantic_version of the service" in message
    assert "more service" not in message
    assert type(refused.value).__name__ in REFUSALS


def test_many_lowered_services_are_counted() -> None:
    """Four are named; the rest are not a page of text."""
    with pytest.raises(
        RolloutRefused, match=r"d would be lowered from 1\.5\.0 to 1\.4\.9 without saying so; and 2 more"
    ):
        check_no_lowering(lowered(*"abcdef"))


def test_a_rollout_takes_what_is_raised() -> None:
    """Nothing is refused that is not lower."""
    with accepted():
        check_no_lowering(changes([service_unit(spec=cart("v1.4.0"))], [service_unit(spec=cart("v1.5.0"))]))


def test_a_preview_is_blocked_by_what_a_rollout_would_refuse() -> None:
    """With the file to edit, and the way out."""
    report = changed(shop(cart=service_spec(version="v1.2.2")), shop(cart=service_spec(version="v1.2.3")))
    (problem,) = report.problems
    assert report.verdict == "blocked"
    assert (problem.file, problem.rule) == ("environments/staging/services.yaml", "services.version-lowered")
    assert problem.what == "cart would be lowered from 1.2.3 to 1.2.2 without saying so"
    assert "allow_downgrade" in problem.fix


def test_a_preview_of_a_new_or_removed_environment_has_nothing_to_compare() -> None:
    """Neither side is invented."""
    state = desired_state("test", service_unit(spec=cart("v1.5.0")))
    assert lowered_services(None, state) == ()
    assert lowered_services(state, None) == ()
