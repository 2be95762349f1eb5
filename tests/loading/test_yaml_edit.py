"""Edits of YAML texts: the loader reads the new value, and nothing that was not meant changes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.yaml_edit import NotEditable, put, remove
from policies.yaml_reader import RefusedError, read

SAMPLES = sorted((Path(__file__).parents[2] / "environments").rglob("*.yaml"))
ODD = """\
# A head.
values:
    frontend:   # aligned by hand
        FIRST:   "one"      # the first
        SECOND: 'it''s'

        # about the third
        THIRD: plain text with no end   # end
    empty:
    flow: {A: 1, B: "two", C: [p, q]}   # in a line
    none: {}
list:
- name: a
  ports: [1, 2]

# about b
- name: b
  env:
    P: "1"
    # about Q
    Q: "2"
text: |
  a literal
    block

last: 1  # the end
"""


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ, as a diff shows them."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    shown: list[str] = []
    for tag, first, last, start, stop in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            shown += [f"- {line}" for line in old[first:last]] + [f"+ {line}" for line in new[start:stop]]
    return [line.rstrip("\r\n") for line in shown]


def value_at(text: str, *path: str | int) -> Any:
    """What the loader reads there."""
    found = read(text.encode())
    for step in path:
        found = found[step]
    return found


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        (
            ("values", "frontend", "FIRST"),
            "uno",
            ['-         FIRST:   "one"      # the first', '+         FIRST:   "uno"      # the first'],
        ),
        (
            ("values", "frontend", "SECOND"),
            "that's",
            ["-         SECOND: 'it''s'", "+         SECOND: 'that''s'"],
        ),
        (
            ("values", "frontend", "THIRD"),
            "no",
            ["-         THIRD: plain text with no end   # end", '+         THIRD: "no"   # end'],
        ),
        (("values", "frontend", "FOURTH"), 4, ["+         FOURTH: 4"]),
        (("values", "empty", "A"), True, ["+         A: true"]),
        (
            ("values", "flow", "A"),
            1.0,
            [
                '-     flow: {A: 1, B: "two", C: [p, q]}   # in a line',
                '+     flow: {A: 1.0, B: "two", C: [p, q]}   # in a line',
            ],
        ),
        (
            ("values", "flow", "D"),
            "a, b",
            [
                '-     flow: {A: 1, B: "two", C: [p, q]}   # in a line',
                '+     flow: {A: 1, B: "two", C: [p, q], D: "a, b"}   # in a line',
            ],
        ),
        (
            ("values", "flow", "C"),
            ["p", "r", "q"],
            [
                '-     flow: {A: 1, B: "two", C: [p, q]}   # in a line',
                '+     flow: {A: 1, B: "two", C: [p, r, q]}   # in a line',
            ],
        ),
        (("values", "none", "K"), "v", ["-     none: {}", "+     none:", "+         K: v"]),
        (("list", 2), {"name": "c", "ports": [3]}, ["+ - name: c", "+   ports:", "+   - 3"]),
        (("list", 1, "env"), {"Q": "2", "R": "3"}, ['-     P: "1"', '+     R: "3"']),
        (("list", 1, "env"), "none", ["-   env:", '-     P: "1"', "-     # about Q", '-     Q: "2"', "+   env: none"]),
        (("text",), "short", ["- text: |", "-   a literal", "-     block", "+ text: short"]),
        (("last",), [1, {"a": "b"}], ["- last: 1  # the end", "+ last:  # the end", "+ - 1", "+ - a: b"]),
        (("new", "nested", "key"), None, ["+ new:", "+     nested:", "+         key: null"]),
    ],
)
def test_a_value_is_put_and_only_its_lines_change(path: tuple[str | int, ...], value: Any, lines: list[str]) -> None:
    """Quotes, alignment, indentation and comments of the place are kept."""
    after = put(ODD, path, value)

    assert value_at(after, *path) == value
    assert changed_lines(ODD, after) == lines


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (("values", "frontend", "FIRST"), ['-         FIRST:   "one"      # the first']),
        (
            ("values", "flow", "A"),
            [
                '-     flow: {A: 1, B: "two", C: [p, q]}   # in a line',
                '+     flow: {B: "two", C: [p, q]}   # in a line',
            ],
        ),
        (("list", 0, "name"), ["- - name: a", "-   ports: [1, 2]", "+ - ports: [1, 2]"]),
        (("list", 1), ["- - name: b", "-   env:", '-     P: "1"', "-     # about Q", '-     Q: "2"']),
        (("text",), ["- text: |", "-   a literal", "-     block"]),
        (("last",), ["- last: 1  # the end"]),
    ],
)
def test_what_is_removed_goes_with_its_lines_and_comments_above_stay(
    path: tuple[str | int, ...], lines: list[str]
) -> None:
    """A comment may be about more than what stands below it."""
    assert changed_lines(ODD, remove(ODD, path)) == lines


def test_the_last_entry_leaves_an_empty_mapping() -> None:
    """Nothing at all would be another value."""
    after = remove(remove("a:\n  b: 1\n  c: [x]\n", ("a", "b")), ("a", "c"))

    assert after == "a: {}\n"
    assert remove("a: [x]\n", ("a", 0)) == "a: []\n"


def test_line_breaks_of_the_file_are_used() -> None:
    """Also where a file has no line break at its end."""
    assert put("a: 1\r\nb:\r\n  c: 2", ("b", "d"), {"e": [1]}) == "a: 1\r\nb:\r\n  c: 2\r\n  d:\r\n    e:\r\n      - 1"
    assert remove("a: 1\r\nb: 2", ("b",)) == "a: 1"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: &x 1\nb: *x\n", (1, 4), "anchors"),
        ("a:\n  <<: {b: 1}\n", (2, 3), "merge keys"),
        ("a: 1\na: 2\n", (2, 1), "already there"),
        ("a: !!str 1\n", (1, 4), "tag"),
        ("a: [1\n", (2, 1), "not YAML"),
    ],
)
def test_what_the_loader_refuses_is_not_edited_and_the_place_is_named(
    text: str, place: tuple[int, int], words: str
) -> None:
    """An edit of one place could change another."""
    with pytest.raises(NotEditable, match=words) as refused:
        put(text, ("a",), 2)

    assert (refused.value.line, refused.value.column) == place
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("? a\n: 1\n? b\n: 2\n", ("a",), 3),
        ("a: 1\n", ("a", "b"), 3),
        ("a: [1]\n", ("a", 3), 3),
        ("a: 1\n", ("a",), float("inf")),
        ("a: 1\n", ("a",), 2**70),
        ("a: 1\n", ("a",), "hidden\u200b"),
        ("a: 1\n", ("b\u202e",), 1),
        ("b: 1\na: |+\n  kept\n\n", ("c",), 1),
    ],
)
def test_what_would_not_be_read_back_is_refused(text: str, path: tuple[str | int, ...], value: Any) -> None:
    """Never a text that says something else than was asked for."""
    with pytest.raises(NotEditable):
        put(text, path, value)


def test_nothing_is_removed_that_is_not_there() -> None:
    """A wrong path is said, not passed over."""
    for path in (("b",), ("a", 0), ("a", "b"), ()):
        with pytest.raises(NotEditable, match="nothing at"):
            remove("a: 1\n", path)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_value_of_the_samples_can_be_changed_alone(sample: Path) -> None:
    """One line differs for each, and it is the one that holds the value."""
    text = sample.read_text()
    for path, value in leaves(read(text.encode())):
        after = put(text, path, 77 if value == "changed" else "changed")
        assert put(text, path, value) == text
        assert len(changed_lines(text, after)) == 2
        assert put(after, path, value) == text or value_at(put(after, path, value), *path) == value


# Everything that follows is one property over texts that are written in every style that the reader accepts.

scalars = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(
        ["", "no", "0777", "1:30", "2024-01-01", "a: b", "a #b", "- x", "it's", '"', "é", "x\ny", "~", "-"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
)
keys = st.one_of(st.sampled_from(["a", "b", "c", "no", "1", "a b", "x.y"]), st.text("abcXYZ_-", min_size=1, max_size=5))
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3),
    max_leaves=10,
)
documents = st.dictionaries(keys, values, min_size=1, max_size=4)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A document written by a hand that is not always the same: indents, comments, quotes, flow and block."""
    text = _write(draw, draw(documents), 0)
    return draw(st.sampled_from(["", "# head\n\n"])) + text + draw(st.sampled_from(["", "\n# tail\n"]))


def _write(draw: st.DrawFn, mapping: Mapping[str, Any], column: int) -> str:
    indent, lines = " " * column, ""
    for key, value in mapping.items():
        lines += draw(st.sampled_from(["", "", "\n", f"{indent}# about it\n"]))
        lines += f"{indent}{_quoted(key)}:{_value(draw, value, column)}"
    return lines


def _value(draw: st.DrawFn, value: Any, column: int) -> str:
    comment = draw(st.sampled_from(["", "", "  # note"]))
    if isinstance(value, dict) and value and draw(st.booleans()):
        return f"{comment}\n" + _write(draw, value, column + draw(st.sampled_from([2, 4])))
    if isinstance(value, list) and value and draw(st.booleans()):
        offset = draw(st.sampled_from([0, 2]))
        dash = " " * (column + offset) + "-"
        return f"{comment}\n" + "".join(dash + _item(draw, item, column + offset) for item in value)
    return f"{draw(st.sampled_from([' ', '   ']))}{_flow(value)}{comment}\n"


def _item(draw: st.DrawFn, item: Any, column: int) -> str:
    if isinstance(item, dict) and item and draw(st.booleans()):
        return " " + _write(draw, item, column + 2).lstrip().removeprefix("# about it\n").lstrip()
    return _value(draw, item, column)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _quoted(value) if isinstance(value, str) else put("a: 1\n", ("a",), value)[3:].strip()


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Path and value of every scalar."""
    if isinstance(value, dict):
        return [leaf for key, below in value.items() for leaf in leaves(below, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, below in enumerate(value) for leaf in leaves(below, (*path, index))]
    return [(path, value)]


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything below the top."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, item in below for found in [(*path, step), *places(item, (*path, step))]]


def same(one: Any, other: Any) -> bool:
    """Equal with types: 1 is not true."""
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")


def readable(text: str) -> bool:
    """Whether the loader takes it: a drawn key may be there twice."""
    try:
        read(text.encode())
    except RefusedError:
        return False
    return True


@given(texts().filter(readable), values, st.data())
def test_any_value_put_anywhere_is_read_back_and_the_rest_stays(text: str, value: Any, data: st.DataObject) -> None:
    """The document is the old one with that value, and the lines before and after the place are the same bytes."""
    before = read(text.encode())
    path = data.draw(st.sampled_from(places(before)))

    after = put(text, path, value)

    expected = read(text.encode())
    holder = expected
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    assert same(read(after.encode()), expected)
    kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert all(line in after.splitlines() for line in kept if "about" not in line)
    top = list(before).index(path[0])
    for name in [*list(before)[:top], *list(before)[top + 1 :]]:
        assert block(text, name) == block(after, name)


@given(texts().filter(readable), st.data())
def test_anything_removed_is_gone_and_the_rest_stays(text: str, data: st.DataObject) -> None:
    """As for putting; what is refused is refused for a reason."""
    before = read(text.encode())
    path = data.draw(st.sampled_from(places(before)))

    after = remove(text, path)

    expected = read(text.encode())
    holder = expected
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    assert same(read(after.encode()), expected)
    for name in before:
        if name != path[0]:
            assert block(text, name) == block(after, name)


def block(text: str, name: str) -> list[str]:
    """The lines of one key of the top, comments and blank lines around it left out."""
    lines, found = text.splitlines(), []
    is_inside = False
    for line in lines:
        if line[:1] not in {"", " ", "#", "-"}:
            is_inside = line.startswith(f"{_quoted(name)}:")
        if is_inside and line.strip() and not line.startswith("#"):
            found.append(line)
    return found
