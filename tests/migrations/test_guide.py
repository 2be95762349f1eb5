"""docs/migrations.md lists every safety check as it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from policies.migrations.safety.catalogue import CHECKS

GUIDE = Path(__file__).parents[2] / "docs" / "migrations.md"
PLACE = re.compile(r"(?<=<!-- checks -->\n).*?(?=<!-- /checks -->)", re.DOTALL)


def table() -> str:
    """The checks as the guide shows them."""
    rows = [
        f"| `{one.id}` | {one.title} | {one.severity}{'; in a contract script low' if one.is_about_clients else ''}"
        f"{'; few rows: low' if one.is_about_size else ''} | {one.safe_way} |"
        for one in CHECKS.values()
    ]
    return "\n".join(["| id | what | severity | the safe way |", "|---|---|---|---|", *rows]) + "\n"


def test_the_table_of_checks_is_current() -> None:
    """Otherwise run this test with ADX_UPDATE_GOLDEN=1."""
    text = GUIDE.read_text("utf-8")
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        GUIDE.write_text(PLACE.sub(lambda _: table(), text), "utf-8")
        text = GUIDE.read_text("utf-8")
    found = PLACE.search(text)
    assert found is not None
    assert found.group() == table()
