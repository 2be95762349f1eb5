"""Reads Markdown as GitHub's parser family does, to tell text that is told from text that is taken for markup."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable("table")
OUR_HTML = {"<code>", "</code>", "<sub>", "</sub>", "</summary>", "<summary>"}


def tokens(text: str) -> Iterator[Token]:
    """Every token of ``text``, those within paragraphs and cells included."""
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def html(text: str) -> list[str]:
    """All raw HTML that is not ADX's own inline markup."""
    return [
        token.content
        for token in tokens(text)
        if token.type in ("html_block", "html_inline") and token.content not in OUR_HTML
    ]


def words(text: str) -> str:
    """What stands outside code, joined: what GitHub searches for mentions, references and addresses."""
    found: list[str] = []
    depth = 0
    for token in tokens(text):
        if token.type == "html_inline" and token.content in ("<code>", "</code>"):
            depth += 1 if token.content == "<code>" else -1
        elif token.type == "text" and depth == 0:
            found.append(token.content)
    return "\n".join(found)


def cells(row: str) -> list[str]:
    """The source of each cell of a table's one body row, without the empty ones at its end."""
    header = "|" + " a |" * 12 + "\n|" + "---|" * 12 + "\n"
    parsed = PARSER.parse(header + row)
    found = [parsed[index + 1].content for index, token in enumerate(parsed) if token.type == "td_open"]
    while found and not found[-1]:
        found.pop()
    return found
