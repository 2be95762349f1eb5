"""What a tired reviewer must see at once, in both texts."""

from __future__ import annotations

import pytest

from scripts.gallery.beginning import NEXT, WITH_SECRET, ciphertext
from tests.gallery.told import BY_NAME, told

BLOCKED = {
    "tenant_renamed": "a tenant cannot be renamed",
    "column_dropped_too_early": "services and schema would not fit",
}


def flat(text: str) -> str:
    """``text`` without line breaks and what makes words bold or code."""
    return " ".join(text.replace("*", "").replace("`", "").split())


@pytest.mark.parametrize("name", BLOCKED)
def test_what_blocks_and_the_way_out_come_before_everything_else(name: str) -> None:
    """Within the first lines, the way out right below."""
    found = told(name)

    assert found.report.verdict == "blocked"
    for text, lines in ((found.comment, 12), (found.terminal, 14)):
        first = flat("\n".join(text.splitlines()[:lines]))
        assert first.index("locked by 1 problem") < first.index(BLOCKED[name]) < first.index("way out: ")


@pytest.mark.parametrize("name", BY_NAME.keys() - BLOCKED.keys())
def test_what_does_not_block_says_so_first(name: str) -> None:
    """No alarm where nothing is lost."""
    assert told(name).comment.startswith("## ADX preview: ✅ nothing speaks against it\n")


def test_a_secret_that_is_rotated_is_shown_nowhere() -> None:
    """Not even as it stands in Git."""
    found = told("secret_rotated")
    for text in (found.comment, found.terminal, repr(found.report)):
        assert not [one for one in (*WITH_SECRET, NEXT) if ciphertext(one) in text]
        assert "vault:v1" not in text
    for text in (found.comment, found.terminal):
        assert "PROVIDER_TOKEN has another value, which is never shown" in flat(text)


def test_a_revert_says_of_what_and_whether_it_is_all_of_it() -> None:
    """By the declarations, not by the message."""
    found = told("revert")
    for text in (found.comment, found.terminal):
        assert "(Raise checkoutservice to v0.10.6 in staging): takes back the field that it changed" in flat(text)
        assert "and changes 1 other field" in flat(text)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_comment_is_one_screen_before_what_is_folded(name: str) -> None:
    """At most forty lines that nobody has asked for; the terminal needs no scrolling."""
    found = told(name)

    assert len(found.comment.partition("<details>")[0].splitlines()) <= 40
    assert len(found.terminal.splitlines()) <= 40
