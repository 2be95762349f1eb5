"""Scripts are cut as PostgreSQL itself cuts them: it is asked how many statements it sees."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import given, settings

from policies.migrations.lexer import LexError
from policies.migrations.statements import split
from tests.support.local_stack import LocalStack

Connection = psycopg.Connection[tuple[object, ...]]

PIECES = st.sampled_from(
    ["SELECT 1", ";", " ", "\n", "'", "''", "E'", "\\", '"', "$$", "$a$", "$b$", "/*", "*/", "--", "a", "U&'", "1", "é"]
)


@pytest.fixture(scope="module")
def connection(local_stack: LocalStack) -> Iterator[Connection]:
    """One for all examples."""
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as opened:
        yield opened


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=10).map("".join))
def test_whatever_postgresql_takes_is_cut_into_as_many_statements(connection: Connection, text: str) -> None:
    """Texts that it refuses say nothing; texts that never end are refused by both."""
    script = f"SELECT 0;{text};SELECT 9"
    try:
        cursor = connection.execute(script.encode())
    except psycopg.Error:
        return
    seen = 1
    while cursor.nextset():
        seen += 1
    assert len(split(script, "postgresql")) == seen


@settings(max_examples=300)
@given(st.lists(st.text(alphabet="ab;'\"\\$/*-\n é", max_size=8), min_size=1, max_size=3))
def test_strings_reach_postgresql_as_they_were_meant(connection: Connection, texts: list[str]) -> None:
    """Each statement of a script, sent by itself, gives the value that was written into it."""
    escaped = [text.replace("\\", "\\\\").replace("'", "\\'") for text in texts]
    script = "; ".join(f"SELECT E'{one}'" for one in escaped)
    found = [connection.execute(one.text.encode()).fetchone() for one in split(script, "postgresql")]
    assert found == [(text,) for text in texts]


def test_a_text_without_end_is_an_error_for_both(connection: Connection) -> None:
    """Neither guesses."""
    for text in ("SELECT 'a", "SELECT $a$ b", "SELECT /* /* */"):
        with pytest.raises(LexError):
            split(text, "postgresql")
        with pytest.raises(psycopg.Error):
            connection.execute(text.encode())
