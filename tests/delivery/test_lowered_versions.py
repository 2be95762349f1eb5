"""A lower version on real parts: refused until somebody says why."""

from __future__ import annotations

from tests.delivery.delivery import Delivery


async def test_a_lower_version_is_refused_until_it_says_why(delivery: Delivery) -> None:
    """Nothing is changed by the refusal; with a reason of its own the same version goes through."""
    delivery.start_worker()
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.merge("newer")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()

    delivery.shop.services["frontend"]["version"] = "v1.2.0"
    delivery.shop.merge("older")
    refused = await delivery.deliver()

    assert (refused.outcome, refused.failed_step) == ("refused", "validate")
    assert "frontend would be lowered from 1.3.0 to 1.2.0 without saying so" in refused.failure
    assert await delivery.live() == before

    delivery.shop.services["frontend"]["allow_downgrade"] = "1.3.0 shows empty pages to visitors."
    delivery.shop.merge("older, with a reason")
    lowered = await delivery.deliver()
    assert lowered.outcome == "delivered", lowered.failure
