"""What a Temporal that came back empty was told, or would be."""

from __future__ import annotations

from rich.console import Group, RenderableType

from pipelines.output import plain
from workflows.rollout.resuming import Resumed


def resume_screen(found: Resumed, *, asked: str = "") -> RenderableType:
    """Two lines. ``asked`` is the address of Temporal where nothing was done yet, else empty."""
    would = "would be " if asked else ""
    by_whom = f" by Temporal at {asked}; do it with --yes" if asked else ""
    frozen = f"{would}frozen, as the ledger says: {', '.join(found.frozen) or 'no environment'}"
    ended = f"{would}ended, since nobody runs it any more: {', '.join(found.ended) or 'no rollout'}"
    return Group(plain(frozen), plain(f"{ended}{by_whom}"))
