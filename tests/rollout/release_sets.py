"""Releases that a rollout changes, for workflow tests: the cart, then the frontend, which needs it."""

from __future__ import annotations

from workflows.services.models import ReleaseChange, ReleaseSet, Shift


def change(service: str, **fields: object) -> ReleaseChange:
    """A canary at 10 %, then everything; its old release is kept for a minute."""
    known: dict[str, object] = {
        "registered_name": f"development--{service}",
        "gateway": "caddy",
        "blue": "b" * 8,
        "green": "a" * 8,
        "blue_version": "v1",
        "green_version": "v2",
        "shifts": (Shift(10, 60), Shift(100, 60)),
        "keep_blue_seconds": 60,
        "drain_seconds": 5,
    }
    return ReleaseChange(service=service, **(known | fields))  # type: ignore[arg-type] # test data


def cart_and_frontend() -> ReleaseSet:
    """Two stages; the frontend gets copies before it gets requests."""
    return ReleaseSet("both-state", ((change("cart"),), (change("frontend", mirror_percent=50),)), "back-state")
