"""A secret in a declaration is found wherever it stands, and never repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from policies.secrets import credential_shape, key_names_a_secret
from tests.support.declared import base_documents, problems_of

# Of a known shape, so that it is to be found, and unlike anything else, so that it cannot be there by chance.
CANARY = "glpat-" + "CANARYcanaryCANARYca"


def texts(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every text below ``value``."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from texts(item, (*way, key))
    if isinstance(value, str):
        yield way


PLACES = [(file, way) for file, document in sorted(base_documents().items()) for way in texts(document)]


@pytest.mark.parametrize(("file", "way"), PLACES, ids=[f"{file}:{'.'.join(map(str, way))}" for file, way in PLACES])
def test_a_canary_in_any_text_is_refused_and_not_repeated(file: str, way: tuple[str | int, ...]) -> None:
    """Given a credential in place of any text, there are problems, and none of them says it."""
    documents = base_documents()
    place = documents[file]
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = CANARY
    problems = problems_of(documents)
    assert problems
    assert CANARY not in msgspec.json.encode(problems).decode()


@pytest.mark.parametrize(
    ("key", "is_secret"),
    [
        ("PASSWORD", True),
        ("dbPassword", True),
        ("dbpassword", True),
        ("ADMIN_PASSWORD_2", True),
        ("API_KEY", True),
        ("apikey", True),
        ("apiKey", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("PRIVATE_KEY_PEM", True),
        ("OAUTH_TOKEN", True),
        ("authToken", True),
        ("DB_PWD", True),
        ("CREDENTIALS", True),
        ("TOKEN_TTL_SECONDS", False),
        ("PASSWORD_MIN_LENGTH", False),
        ("SECRET_NAME", False),
        ("TOKEN_URL", False),
        ("KEYBOARD", False),
        ("PUBLIC_KEY", False),
        ("SORT_KEY", False),
        ("TOKENIZER", False),
        ("PORT", False),
    ],
)
def test_a_key_is_judged_by_its_words(key: str, is_secret: bool) -> None:
    """Words that name a secret count in any spelling, words about secrets do not."""
    assert key_names_a_secret(key) is is_secret


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example.com/a:b@c",
        "ghp_short",
        "eyJ",
        "AKIA",
        "mailto:a@b.example",
        "-----BEGIN CERTIFICATE-----",
        "",
    ],
)
def test_ordinary_text_is_no_credential(text: str) -> None:
    """What only begins like a credential is let through."""
    assert credential_shape(text) is None
