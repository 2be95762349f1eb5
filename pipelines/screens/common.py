"""Colours and marks that all screens share."""

from __future__ import annotations

STYLES: dict[str, str] = {
    "delivered": "green",
    "partly-delivered": "yellow",
    "succeeded": "green",
    "applied": "green",
    "ready": "green",
    "nothing-to-change": "green",
    "running": "cyan",
    "restoring": "yellow",
    "waiting-for-approval": "yellow",
    "restored": "yellow",
    "cancelled": "yellow",
    "superseded": "dim",
    "skipped": "dim",
    "pending": "dim",
    "refused": "red",
    "failed": "red",
    "frozen": "bold red",
    "needs-operator": "bold red",
}

MARKS: dict[str, str] = {
    "succeeded": "✓",
    "running": "▸",
    "failed": "✗",
    "cancelled": "■",
    "skipped": "-",
    "pending": "·",
}


def style_of(status: str) -> str:
    """The colour of ``status``; empty for a status without one."""
    return STYLES.get(status, "")
