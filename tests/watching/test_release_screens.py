"""Releases of services on a screen of 80 columns, as golden files. ``ADX_UPDATE_GOLDEN=1 pytest`` writes them anew."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.screens.releases import Bar, releases_screen
from pipelines.screens.services_releases import service_releases_screen
from pipelines.screens.watch import watch_screen
from pipelines.services.releases import DeliveredRelease, ServiceReleases
from tests.pipelines import records
from tests.watching.release_looks import FOUND, NOW, SLOW, UNTIL, release, rollout, view
from tests.watching.test_screens import assert_golden, drawn


def test_releases_are_drawn_below_the_steps() -> None:
    """In every phase; long names and lines are wrapped between words, and nothing from outside styles anything."""
    shown = view(
        release("cart", "baking", 5, FOUND),
        release("checkout", "serving", 100, "checkout has all requests"),
        release("frontend", "returned", 0, SLOW),
        release("payment", "mirroring"),
        release("recommendations-for-people-who-came-back", "waiting", 0, "2/3 instance(s) healthy"),
        release("stock", "shifting", 0, blue="", blue_version=""),
        release(
            "[red]x\n\x1b[31m", "baking", 50, "[bold]\u202e\nforged", green_version="v1.5.0-20260131101500-gabcdef"
        ),
    )

    assert_golden("releases", watch_screen(rollout(), (), NOW, None, shown))
    assert "\x1b" not in drawn(releases_screen(shown, "production", NOW))


def test_kept_releases_are_drawn_with_the_way_back() -> None:
    """Until when, and the command."""
    kept = rollout("succeeded", kept_until="2026-01-31T09:15:07.5+00:00")
    shown = view(release("cart", "serving", 100), release("frontend", "serving", 100), of=kept)

    assert_golden("releases_kept", watch_screen(kept, (), NOW, None, shown))


def test_many_that_serve_do_not_push_away_what_is_under_way() -> None:
    """They are counted; one that was taken back is shown in any case."""
    serving = [release(f"a{number:02d}", "serving", 100) for number in range(12)]
    screen = drawn(releases_screen(view(*serving, release("z", "baking", 5), release("zz", "returned")), "e", NOW))

    assert [line.split()[:2] for line in screen.splitlines()[1:9]] == [["✓", f"a{number:02d}"] for number in range(8)]
    assert ["▸  z    baking, 42 s left" in screen, "■  zz   returned" in screen] == [True, True]
    assert screen.splitlines()[-1].strip() == "and 4 others that serve"


@pytest.mark.parametrize(("percent", "squares"), [(0, 0), (1, 1), (50, 20), (99, 39), (100, 40)])
def test_a_share_is_never_drawn_as_none_or_all_when_it_is_not(percent: int, squares: int) -> None:
    """One request in a hundred is seen too."""
    assert drawn(Bar(percent), width=40).count("■") == squares


def test_delivered_releases_are_listed_below_the_one_under_way() -> None:
    """With what was taken back, and why; nothing from outside styles anything."""
    good = DeliveredRelease(
        at=records.at(),
        version="v1.4.0",
        outcome="delivered",
        commit=records.OLD,
        tried=records.OLD,
        inputs="d" * 64,
        rollout=records.DELIVERED.id,
        rollout_outcome="delivered",
        by="[red]ana\n\x1b[31m",
        reason="",
    )
    back = msgspec.structs.replace(good, outcome="restored", tried=records.BAD, reason=f"release: {SLOW}", by="ana")
    gone = msgspec.structs.replace(back, version=None, outcome="removed", tried=records.NEW, reason="")
    of_cart = view(release("cart", "baking", 5, FOUND)).releases[0]
    of_new = view(release("new", "waiting", 0, blue="", blue_version="")).releases[0]
    found = (
        ServiceReleases(environment="production", service="cart", releases=(back, good), under_way=of_cart),
        ServiceReleases(environment="production", service="new", releases=(), under_way=of_new),
        ServiceReleases(environment="staging", service="ads", releases=(gone,)),
    )

    assert_golden("service_releases", service_releases_screen(found, NOW))
    assert "adx deploy" in drawn(service_releases_screen((), NOW))


def test_a_switch_back_under_way_offers_no_other() -> None:
    """The step that kept the old releases has failed then, whatever its time says."""
    back = rollout("succeeded", kept_until=UNTIL)
    next(step for step in back.steps if step.name == "cleanup").status = "failed"

    assert view(release("cart", "serving", 100), of=back).kept_until == ""
