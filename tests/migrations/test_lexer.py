"""Scripts are cut where the servers cut them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from policies.migrations.lexer import LexError, tokens
from policies.migrations.spec import Engine
from policies.migrations.statements import split, without_comments

POSTGRES = {
    r"SELECT E'a\';b'; c": [r"SELECT E'a\';b'", "c"],
    r"SELECT 'a\'; c": [r"SELECT 'a\'", "c"],
    r"SELECT nameE'a\'; c": [r"SELECT nameE'a\'", "c"],
    "SELECT E'a'\n  -- so\n '\\';b'; c": ["SELECT E'a'\n  -- so\n '\\';b'", "c"],
    "SELECT E'a' '\\'; c": ["SELECT E'a' '\\'", "c"],
    "SELECT U&'a;\\'; b": ["SELECT U&'a;\\'", "b"],
    'SELECT U&"a;""b"; c': ['SELECT U&"a;""b"', "c"],
    "/* a /* b; */ ; */ x; y": ["x", "y"],
    "SELECT $$a;b$$; $t$ ; $$ ; $t$; z": ["SELECT $$a;b$$", "$t$ ; $$ ; $t$", "z"],
    "select a$b$;c$b$ from t": ["select a$b$", "c$b$ from t"],
    "select 1$a$;$a$; b": ["select 1$a$;$a$", "b"],
    "select $1; b": ["select $1", "b"],
    "select é$a$;é$a$": ["select é$a$", "é$a$"],
    "select 1 @-- x;\n 2; y": ["select 1 @-- x;\n 2", "y"],
    "CREATE RULE r AS ON INSERT TO t DO (select 1; select 2); y": [
        "CREATE RULE r AS ON INSERT TO t DO (select 1; select 2)",
        "y",
    ],
    "CREATE or replace FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; x": [
        "CREATE or replace FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        "x",
    ],
    "select begin; end; x": ["select begin", "end", "x"],
    " ;; -- nothing\n/* ; */;": [],
}
MYSQL = {
    r"SELECT 'a\';b'; c": [r"SELECT 'a\';b'", "c"],
    'SELECT "a;"";\\";b"; c': ['SELECT "a;"";\\";b"', "c"],
    "SELECT `a;``;b\\`; c": ["SELECT `a;``;b\\`", "c"],
    "# a;b\nc;d": ["c", "d"],
    "SELECT 1--1; b": ["SELECT 1--1", "b"],
    "--\ta;\nc;d": ["c", "d"],
    "/* a /* ; */ b; c": ["b", "c"],
    "SELECT 1 /*! , ';*/' */ ; b": ["SELECT 1 /*! , ';*/' */", "b"],
    "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF NEW.a THEN SET NEW.b=IF(1,2,3); END IF;"
    " CASE 1 WHEN 1 THEN SET @a=1; END CASE; SET @b = CASE WHEN 1 THEN 2 END; END; z": [
        (
            "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF NEW.a THEN SET NEW.b=IF(1,2,3);"
            " END IF; CASE 1 WHEN 1 THEN SET @a=1; END CASE; SET @b = CASE WHEN 1 THEN 2 END; END"
        ),
        "z",
    ],
    "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; z": ["BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", "z"],
    "CREATE PROCEDURE p() l: BEGIN x: LOOP LEAVE x; END LOOP x; END; z": [
        "CREATE PROCEDURE p() l: BEGIN x: LOOP LEAVE x; END LOOP x; END",
        "z",
    ],
}


@pytest.mark.parametrize("text", POSTGRES)
def test_postgresql_is_cut_as_its_server_cuts(text: str) -> None:
    """One row of the table."""
    assert [one.text for one in split(text, "postgresql")] == POSTGRES[text]


@pytest.mark.parametrize("text", MYSQL)
def test_mysql_is_cut_as_its_server_cuts(text: str) -> None:
    """One row of the table."""
    assert [one.text for one in split(text, "mysql")] == MYSQL[text]


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("postgresql", "SELECT 'a"),
        ("postgresql", r"SELECT E'a\'"),
        ("postgresql", 'SELECT "a'),
        ("postgresql", "/* /* */"),
        ("postgresql", "$a$ $b$"),
        ("mysql", r"SELECT 'a\'"),
        ("mysql", "SELECT `a"),
        ("mysql", "/* a"),
        ("mysql", "/*! a"),
    ],
)
def test_what_does_not_end_is_an_error(engine: Engine, text: str) -> None:
    """It is never guessed where it might end."""
    with pytest.raises(LexError):
        split(text, engine)


def quoted_for(engine: Engine, text: str) -> list[str]:
    """Every way to write the string ``text``."""
    doubled = text.replace("'", "''")
    if engine == "mysql":
        escaped = text.replace("\\", "\\\\")
        return ["'" + escaped.replace("'", "''") + "'", '"' + escaped.replace('"', '\\"') + '"']
    found = [f"'{doubled}'", "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"]
    return found + ([f"$q${text}$q$"] if "$q" not in text else [])


TEXTS = st.text(alphabet=st.sampled_from("ab;'\"`\\$q-#/*! \n\u00e9"), max_size=12)
ENGINES = st.sampled_from(["postgresql", "mysql"])


@st.composite
def statements(draw: st.DrawFn) -> tuple[Engine, list[str]]:
    """An engine and statements whose strings hold everything that could cut them."""
    engine: Engine = draw(ENGINES)
    found = []
    for text in draw(st.lists(TEXTS, min_size=1, max_size=4)):
        found.append(f"SELECT {draw(st.sampled_from(quoted_for(engine, text)))}")
    return engine, found


@given(statements(), st.sampled_from([";", " ;\n", ";/* ; ' */\n", "; -- ; '\n"]))
def test_statements_with_anything_in_their_strings_are_found_again(
    given_: tuple[Engine, list[str]], separator: str
) -> None:
    """Joined in several ways."""
    engine, expected = given_
    assert [one.text for one in split(separator.join(expected), engine)] == expected


@given(st.text(max_size=60), ENGINES)
def test_tokens_are_the_whole_text(text: str, engine: Engine) -> None:
    """Nothing is lost or seen twice, whatever the text."""
    try:
        found = list(tokens(text, engine))
    except LexError:
        return
    assert "".join(text[token.start : token.end] for token in found) == text


@given(statements())
def test_a_text_without_comments_keeps_every_place(given_: tuple[Engine, list[str]]) -> None:
    """What a checker says about line and column holds for the script."""
    engine, expected = given_
    text = " /* a\n b */ ".join(f"{one};" for one in expected)
    shown = without_comments(text, engine)
    assert len(shown) == len(text)
    assert [one.text for one in split(shown, engine)] == expected
