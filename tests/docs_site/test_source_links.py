"""Links out of docs/: followed at a git hosting as they are, led elsewhere or named in the site."""

from __future__ import annotations

import pytest

from scripts.docs.source_links import links, rewritten

PAGE = "docs/guides/waves.md"


@pytest.mark.parametrize(
    ("written", "with_hosting", "without"),
    [
        (
            "[the schema](../../policies/schema.json)",
            "[the schema](H/policies/schema.json)",
            "the schema (`policies/schema.json`)",
        ),
        (
            "[`schema.json`](../../policies/schema.json)",
            "[`schema.json`](H/policies/schema.json)",
            "`policies/schema.json`",
        ),
        ("[README](../../README.md)", "[README](H/README.md)", "`README.md`"),
        ("![a picture](../../tests/a.png)", "![a picture](H/tests/a.png)", "a picture (`tests/a.png`)"),
        (
            "[of an anchor](../../README.md#measured)",
            "[of an anchor](H/README.md#measured)",
            "of an anchor (`README.md`)",
        ),
    ],
)
def test_a_link_out_of_the_site_leads_to_the_hosting_or_names_the_file(
    written: str, with_hosting: str, without: str
) -> None:
    assert rewritten(written, PAGE, "docs", lambda path: f"H/{path}") == with_hosting
    assert rewritten(written, PAGE, "docs", lambda _: "") == without


@pytest.mark.parametrize(
    "kept",
    [
        "[a page](../api.md#errors)",
        "[elsewhere](https://example.com/../../README.md)",
        "[here](#gates)",
        "code: `[x](../../README.md)`",
        "```md\n[x](../../README.md)\n```",
        "````md\n```\n[x](../../README.md)\n```\n````",
    ],
)
def test_everything_else_stays_as_it_is_written(kept: str) -> None:
    assert rewritten(kept, PAGE, "docs", lambda path: f"H/{path}") == kept


def test_links_are_told_with_the_path_that_they_lead_to() -> None:
    text = "[`a`](../api.md#errors) and ![b](../../c.svg), not `[d](e.md)`, [f](https://example.com), [g](#h)"

    assert [(link.text, link.path) for link in links(text, PAGE)] == [("`a`", "docs/api.md"), ("b", "c.svg")]
