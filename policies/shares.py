"""Shares of a number of things: a count (``5``) or a percentage (``"25%"``), in whole numbers. Pure."""

from __future__ import annotations

Share = int | str


def percentage(share: Share) -> int | None:
    """25 for ``"25%"``; None for a count."""
    return int(share.removesuffix("%")) if isinstance(share, str) else None


def rounded_up(share: Share, total: int) -> int:
    """How many of ``total`` things ``share`` is, at most all of them: a percentage of any is at least one."""
    percent = percentage(share)
    return min(total, int(share) if percent is None else -(-total * percent // 100))


def rounded_down(share: Share, total: int) -> int:
    """How many of ``total`` things ``share`` is, at most all of them, never more than the percentage says."""
    percent = percentage(share)
    return min(total, int(share) if percent is None else total * percent // 100)
