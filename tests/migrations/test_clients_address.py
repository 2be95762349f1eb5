"""The URL of a database."""

from __future__ import annotations

import pytest

from workflows.clients.databases import DatabaseAddress
from workflows.clients.databases.errors import AddressInvalid


@pytest.mark.parametrize(
    "url",
    ["", "postgresql://", "oracle://u:canary@h/d", "mysql://u:canary@h", "postgresql://u:canary@h:x/d", "mysql://h/d"],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(AddressInvalid) as raised:
        DatabaseAddress.parse(url)
    assert "canary" not in str(raised.value)


def test_a_url_is_taken_apart() -> None:
    """Escapes, defaults, and what is not to be seen."""
    found = DatabaseAddress.parse("postgresql+psycopg://a%40b:p%2Fw@db.local/shop?sslmode=require", "acme")
    assert (found.user, found.password, found.port, found.schema) == ("a@b", "p/w", 5432, "acme")
    assert found.options == (("sslmode", "require"),)
    assert "p/w" not in repr(found)
