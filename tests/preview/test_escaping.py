"""Text from outside is only ever text: in sentences, tables, lists, fences and pictures."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st

from pipelines.preview.escaping import code, fenced, link, mermaid_label, prose
from tests.preview import inert
from tests.support.strategies import property_of

HOSTILE = [
    "@octocat please look",
    "see #12 and GH-12 and octo/repo#7",
    "https://evil.example/x and www.evil.example",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details><h1>done</h1>",
    "--> <!-- adx",
    "a | b | c",
    "a\\| b",
    "`code` ``more`` ```fence```",
    "``` ```",
    "**bold** _it_ ~~gone~~",
    "[x](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "&lt;b&gt; &copy;",
    "$`x`$ and $$y$$",
    ":tada:",
    "- item",
    "1. item",
    "> quote",
    "# title",
    "a\nb\r\nc",
    "\u202egnirts",
    "tab\there",
    " leading and trailing ",
    "\\",
    "`",
    "|",
    "",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "[^1] [ ] [x]",
    "<https://evil.example>",
    "mail@evil.example",
    "\ud800",
]
MEANT = re.compile(r"[@#<>|`*_~\[\]$\\]|https?:|www\.|GH-\d|:\w+:|\b[0-9a-f]{7,40}\b")
anything = st.text(st.characters(blacklist_categories=("Cs",)), max_size=60) | st.lists(
    st.sampled_from(HOSTILE), max_size=3
).map(" ".join)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("shown", [code, prose])
def test_hostile_text_has_no_meaning_in_a_sentence(text: str, shown) -> None:
    """No HTML, no link, no mention, no reference, no emphasis."""
    written = f"- before {shown(text)} after\n"

    assert inert.html(written) == []
    assert MEANT.search(inert.words(written)) is None
    assert {token.type for token in inert.tokens(written)} <= {
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "text",
        "code_inline",
        "html_inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("shown", [code, prose])
def test_hostile_text_stays_in_its_cell(text: str, shown) -> None:
    """A row has as many cells as were written."""
    first, *_, last = found = inert.cells(f"| x | {shown(text)} | {shown(text)} | y |\n")

    assert (first, last, len(found)) == ("x", "y", 4)


@property_of(text=anything)
def test_any_text_has_no_meaning(text: str) -> None:
    """In a list and in a table, as a name and as a sentence."""
    for shown in (code(text), prose(text)):
        written = f"- before {shown} after\n"
        assert inert.html(written) == []
        assert MEANT.search(inert.words(written)) is None
        assert "\n" not in shown


@property_of(text=anything)
def test_any_text_stays_in_its_fence(text: str) -> None:
    """What follows a block is not part of it, and what is in it does not get out."""
    written = fenced([f"+ x: {text}", f"- y: {text}"], "diff") + "\nafter\n"
    found = [token for token in inert.tokens(written) if token.type in ("fence", "text", "html_block")]

    assert [token.type for token in found] == ["fence", "text"]
    assert found[1].content == "after"
    assert "-->" not in written
    assert "<!--" not in written


@property_of(text=anything)
def test_any_text_is_a_label(text: str) -> None:
    """Neither a quotation mark nor a bracket nor markup gets into a picture."""
    assert re.search(r"[\"\[\](){}<>`*_|\n]|--", mermaid_label(text)) is None


def test_ordinary_words_stay_readable() -> None:
    """A reviewer should not have to read escapes."""
    text = 'The image has no fixed version (policy "strict"), at 12.5% or 3/4; name one.'

    assert prose(text) == text
    assert prose("ask ana@example.com about `approval.required`.") == (
        "ask `ana@example.com` about `approval.required`."
    )


def test_long_text_is_cut() -> None:
    """A name of a megabyte is no name."""
    assert len(code("x" * 1_000_000)) < 200
    assert len(prose("word " * 100_000)) <= 1_100


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "https://x.example/)](y", "https://x.example/ y", "https://x/<b>", "", "x"]
)
def test_only_plain_web_addresses_become_links(address: str) -> None:
    """Everything else is shown."""
    assert "](" not in re.sub(r"<code>.*</code>|`.*`", "", link("here", address))


def test_a_plain_web_address_becomes_a_link() -> None:
    """As CI gives it."""
    address = "https://github.com/o/r/actions/runs/1/artifacts/2?x=1&y=2"

    assert [token.attrs["href"] for token in inert.tokens(link("here", address)) if token.type == "link_open"] == [
        address
    ]
