"""SQL as anybody may read it: strings and comments are data, and may be a password. Pure."""

from __future__ import annotations

from policies.masking import MASK
from policies.migrations.lexer import LexError, tokens
from policies.migrations.spec import Engine


def without_values(text: str, engine: Engine) -> str:
    """``text`` with every string masked and no comments; from what does not end on, all of it.

    A comment ends with its line: it goes before lines are joined, or it would hide the strings behind it.
    """
    parts: list[str] = []
    try:
        for token in tokens(text, engine):
            piece = text[token.start : token.end]
            is_value = token.kind == "string" and len(piece) > len("''")
            parts.append(" " if token.kind == "comment" else f"'{MASK}'" if is_value else piece)
    except LexError:
        parts.append(MASK)
    return "".join(parts)
