"""Statements after which a sequence stands elsewhere: what takes the script back makes one that begins anew. Pure."""

from __future__ import annotations

from policies.migrations.model import Statement
from policies.migrations.spec import Engine
from policies.migrations.statements import actions


def loses_position(statement: Statement, engine: Engine) -> bool:
    """Whether a sequence that may be there goes, is replaced, or is set back.

    Made only where it is missing counts too: what takes that back drops one that was there.
    """
    words = statement.words
    if "SEQUENCE" in words[:5]:
        is_replaced = words[1:3] == ("OR", "REPLACE") or words[2:5] == ("IF", "NOT", "EXISTS")
        is_gone = words[:2] == ("DROP", "SEQUENCE") or (words[0] == "CREATE" and is_replaced)
        return is_gone or restarts(statement, engine)
    is_table = words[:2] == ("ALTER", "TABLE")
    is_dropped = is_table and any(_said(action)[:2] == ("DROP", "IDENTITY") for action in actions(words, engine))
    return is_dropped or restarts(statement, engine)


def restarts(statement: Statement, engine: Engine) -> bool:
    """Whether it sets a sequence back. One that a script brings goes with it: that is all that undoing may lose."""
    words = statement.words
    if words[:2] == ("ALTER", "SEQUENCE"):
        return "RESTART" in words[3:]
    return words[:2] == ("ALTER", "TABLE") and any("RESTART" in _said(action) for action in actions(words, engine))


def _said(action: tuple[str, ...]) -> tuple[str, ...]:
    """What ``ALTER [COLUMN] name …`` does; empty for another action."""
    if action[:1] != ("ALTER",):
        return ()
    return action[3:] if action[1:2] == ("COLUMN",) else action[2:]
