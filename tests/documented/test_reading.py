"""The reader of shell blocks: what it takes for a command, and for a program."""

from __future__ import annotations

import pytest

from tests.documented.pages import Command, _blocks_of, _spans_of
from tests.documented.resolving import arguments_in, problem_of
from tests.documented.shell import is_plain, lines_of, programs_of

PAGE = """\
Say `adx watch`, or ``adx deploy
ENV --watch``; not `adx.sum`.

```sh
adx explain a.yaml#b.c    # a place, not a comment; exit status 3 when it is invalid
curl -d '{
  "a": "# b"
}' "$URL" \\
  -o out.json

until curl -sS "$URL" && grep -q yes out.json; do sleep 1; done
```

* in a list:

  ```console
  $ adx status
  everything is well
  $ adx history --json | jq -r '.[0].id'
  ```

```bash
cat > a.yaml <<'YAML'
# no comment
kind: Tenant
YAML
adx validate
```

```yaml
adx: no command
```
"""


def test_a_block_is_cut_into_its_commands() -> None:
    """Quotations, loops and here-documents are one each; a console's output is none."""
    first, second, third = _blocks_of(PAGE, "page.md")

    assert [(one.place, one.text) for one in first.commands] == [
        ("page.md:5", "adx explain a.yaml#b.c"),
        ("page.md:6", 'curl -d \'{\n  "a": "# b"\n}\' "$URL"    -o out.json'),
        ("page.md:11", 'until curl -sS "$URL" && grep -q yes out.json; do sleep 1; done'),
    ]
    assert [(one.place, one.text) for one in second.commands] == [
        ("page.md:17", "adx status"),
        ("page.md:19", "adx history --json | jq -r '.[0].id'"),
    ]
    assert [one.text for one in third.commands] == [
        "cat > a.yaml <<'YAML'\n# no comment\nkind: Tenant\nYAML",
        "adx validate",
    ]
    assert third.commands[0].programs == [("cat",)]
    assert [one.documented_exit for one in first.commands] == [3, 0, 0]


def test_commands_in_sentences_are_found_and_files_are_not() -> None:
    """Also where a line ends within one."""
    assert [(one.place, one.text) for one in _spans_of(PAGE, "page.md")] == [
        ("page.md:1", "adx watch"),
        ("page.md:1", "adx deploy ENV --watch"),
    ]


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("A=1 adx api serve &", [("adx", "api", "serve")]),
        ("adx watch --json | jq -r '.a | .b' > out", [("adx", "watch", "--json"), ("jq", "-r", ".a | .b")]),
        ('eval "$(adx env --reveal)"', [("eval", "$(adx env --reveal)"), ("adx", "env", "--reveal")]),
        ("until a && b 2> log; do c; done", [("a",), ("b",), ("c",)]),
        ("commit=000", []),
    ],
)
def test_the_programs_of_a_command(text: str, programs: list[tuple[str, ...]]) -> None:
    """Whatever stands before, between and behind them."""
    assert programs_of(text) == programs


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("adx --repo ~/platform explain a.yaml#b", True),
        ("adx cancel production --reason 'a > b'", True),
        ("adx flags export production > file", False),
        ("adx explain $FILE", False),
        ("A=1 adx up", False),
        ("adx explain *.yaml", False),
    ],
)
def test_what_no_shell_would_touch_needs_none(text: str, is_so: bool) -> None:
    """All else is run by bash."""
    assert is_plain(text) == is_so


def test_a_block_that_does_not_end_is_an_error() -> None:
    """Nothing is left out silently."""
    with pytest.raises(ValueError, match="does not end"):
        lines_of("adx cancel production --reason 'because")


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ("adx deploy ENV --force", ""),
        ("ADX_HOME=.adx/dev .venv/bin/adx up", ""),
        ("adx fleet", ""),
        ("adx fleet persuade ENV", "persuade"),
        ("adx deploy --forcibly", "--forcibly"),
        ("adx migrate statu", "statu"),
        ("adx migrate rollback ENV --tenant NAME --lose-date", "--lose-date"),
    ],
)
def test_a_command_in_a_sentence_is_asked_for(span: str, problem: str) -> None:
    """Arguments may be missing there; what is said must exist."""
    found = problem_of(arguments_in(span), is_whole=False)

    assert problem in found
    assert bool(found) == bool(problem)


def test_a_command_in_a_block_has_all_that_it_needs() -> None:
    """It is copied as it stands."""
    assert "ENV" in problem_of(["cancel"])
    assert Command("page.md:1", "adx cancel staging").programs == [("adx", "cancel", "staging")]
