"""The part of YAML that is read, and everything that is refused: where, what is wrong, what would be right."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.yaml_reader import MAX_DEPTH, MAX_REFUSALS, RefusedError, examine, read
from policies.yaml_text import MAX_FILE_BYTES

BOMB = b"".join(
    [b"a: &a [x, x, x, x, x, x, x, x, x]\n"]
    + [b"%c: &%c [%s]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghi"]
)

# name of the behaviour: document, line, column, a part of what is said to be wrong, a part of what would be right
REFUSED: dict[str, tuple[bytes, int, int, str, str]] = {
    "an alias bomb": (BOMB, 1, 4, "anchors and aliases", "write the value out"),
    "an alias to itself": (b"a: &a [*a]\n", 1, 4, "anchors and aliases", "write the value out"),
    "an alias without an anchor": (b"a: 1\nb: *a\n", 2, 4, "anchors and aliases", "write the value out"),
    "an alias as a key": (b"a: 1\n*a : 2\n", 2, 1, "alias", "write"),
    "an anchor on a text": (b"a: &x y\n", 1, 4, "anchors and aliases", "write the value out"),
    "an anchor on a key": (b"&x a: y\n", 1, 1, "anchors and aliases", "write the value out"),
    "a duplicate key": (b"a: 1\nb: 2\na: 3\n", 3, 1, "the key a is already there", "keep one"),
    "a duplicate key that is quoted once": (b"a: 1\n'a': 3\n", 2, 1, "already there", "keep one"),
    "a duplicate key in a flow mapping": (b"x: {a: 1, b: 2, a: 3}\n", 1, 17, "already there", "keep one"),
    "a tag that makes a Python object": (b"a: !!python/object:os.system x\n", 1, 4, "tag", "leave the tag out"),
    "a tag that makes a Python object of a mapping": (b"a: !!python/object/apply:x {}\n", 1, 4, "tag", "leave"),
    "a harmless tag": (b"a: !!str 1\n", 1, 4, "tag", "leave the tag out"),
    "a tag of one's own": (b"a:\n  - !secret x\n", 2, 5, "tag", "leave the tag out"),
    "the non-specific tag": (b"a: ! 1\n", 1, 4, "tag", "leave the tag out"),
    "a tag directive": (b"%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "directives", "delete"),
    "a version directive": (b"%YAML 1.1\n---\na: 1\n", 1, 1, "directives", "delete"),
    "no for false": (b"a: no\n", 1, 4, "truth value false", "write false"),
    "Yes for true": (b"a: Yes\n", 1, 4, "truth value true", "write true"),
    "off for false": (b"a: [on, off]\n", 1, 5, "truth value true", "write true"),
    "y as a key": (b"x: 1\ny: 2\n", 2, 1, "truth value true", 'quote it: "y"'),
    "an octal number": (b"a: 0777\n", 1, 4, "same number", "without leading zeros"),
    "an octal number of YAML 1.2": (b"a: 0o777\n", 1, 4, "same number", "quote it"),
    "a number with a leading zero": (b"a: 08\n", 1, 4, "same number", "without leading zeros"),
    "a hexadecimal number": (b"a: 0x1F\n", 1, 4, "same number", "plain decimal"),
    "a binary number": (b"a: 0b11\n", 1, 4, "same number", "plain decimal"),
    "a number in base 60": (b"a: 1:30\n", 1, 4, "same number", "quote it"),
    "a number with underscores": (b"a: 1_000\n", 1, 4, "same number", "plain decimal"),
    "an exponent that only YAML 1.2 knows": (b"a: 1e3\n", 1, 4, "same number", "plain decimal"),
    "a fraction that only YAML 1.2 knows": (b"a: -.5\n", 1, 4, "same number", "plain decimal"),
    "a number of more than 64 bits": (b"a: 9223372036854775808\n", 1, 4, "64 bits", "quote it"),
    "a number that overflows": (b"a: 1.0e+400\n", 1, 4, "too large", "below"),
    "a date": (b"a: 2024-02-30\n", 1, 4, "date", "quote it"),
    "a point in time": (b"a: 2024-02-03T10:00:00Z\n", 1, 4, "date", "quote it"),
    "not-a-number": (b"a: .nan\n", 1, 4, "not-a-number", "write a number"),
    "infinity": (b"a: -.inf\n", 1, 4, "infinity", "write a number"),
    "a merge key": (b"<<: {a: 1}\nb: 2\n", 1, 1, "<<", "write the keys out"),
    "the value key": (b"=: 1\n", 1, 1, "=", "quote it"),
    "a key that is a number": (b"a:\n  80: x\n", 2, 3, "not a text", 'quote it: "80"'),
    "a key that is a truth value": (b"true: x\n", 1, 1, "not a text", 'quote it: "true"'),
    "a key that is nothing": (b"~: x\n", 1, 1, "not a text", "quote it"),
    "a key that is a list": (b"? [a]\n: b\n", 1, 3, "a key is a list", "write a text"),
    "a very long key": (b"k" * 300 + b": 1\n", 1, 1, "over 256 characters", "shorten"),
    "two documents": (b"a: 1\n---\nb: 2\n", 2, 1, "second document", "file of its own"),
    "an empty file": (b"", 1, 1, "empty", "write a declaration"),
    "a file of comments": (b"# nothing\n", 1, 1, "empty", "write a declaration"),
    "a NUL": (b'a: "x\x00"\n', 1, 6, "U+0000", "delete it"),
    "a NUL written as an escape": (b'a: 1\nb: "x\\0"\n', 2, 4, "U+0000", "delete it"),
    "a control character": (b"a: x\x1b[31m\n", 1, 5, "U+001B", "delete it"),
    "a carriage return without a line feed": (b"a: x\rb: y\n", 1, 5, "U+000D", "delete it"),
    "a byte order mark": (b"\xef\xbb\xbfa: 1\n", 1, 1, "byte order mark", "without BOM"),
    "UTF-16 with a byte order mark": ("a: 1\n".encode("utf-16"), 1, 1, "byte order mark (UTF-16)", "UTF-8"),
    "UTF-16 without a byte order mark": ("a: 1\n".encode("utf-16-le"), 1, 2, "U+0000", "delete it"),
    "bytes that are no UTF-8": (b"a: 1\nb: \xe9t\xe9\n", 2, 4, "0xe9 is not UTF-8", "save the file as UTF-8"),
    "an overlong encoding": (b"a: \xc0\xaf\n", 1, 4, "is not UTF-8", "save the file as UTF-8"),
    "a bidirectional override": ("a: 1\nb: x\u202ey\n".encode(), 2, 5, "direction of writing", "delete it"),
    "a bidirectional override in a comment": ("a: 1 # x\u2066y\n".encode(), 1, 9, "direction of", "delete it"),
    "a bidirectional override as an escape": (b'a: "x\\u202ey"\n', 1, 4, "direction of writing", "delete it"),
    "a zero-width space": ("a: b\u200bc\n".encode(), 1, 5, "cannot be seen", "delete it"),
    "a line separator": ("a: b\u2028c: d\n".encode(), 1, 5, "cannot be seen", "delete it"),
    "a tag character": ("a: b\U000e0041\n".encode(), 1, 5, "cannot be seen", "delete it"),
    "a Cyrillic letter in a Latin key": ("n\u0430me: x\n".encode(), 1, 2, "CYRILLIC", "one alphabet"),
    "a Greek letter in a Latin value": ("a: acm\u03b5\n".encode(), 1, 7, "GREEK", "one alphabet"),
    "a fullwidth letter": ("a: \uff41cme\n".encode(), 1, 4, "FULLWIDTH", "one alphabet"),
    "a look-alike written as an escape": (b'a: "\\u0430cme"\n', 1, 4, "CYRILLIC", "one alphabet"),
    "one level too many": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), 1, 33, "32 levels deep", "flatten"),
    "too many values": (b"a: [" + b"1," * 30_000 + b"1]\n", 0, 0, "30,00", "split it"),
    "a file over the limit": (b"a" * (MAX_FILE_BYTES + 1), 0, 0, "1,048,577 bytes", "split it"),
    "a bracket that is not closed": (b"a: [1, 2\n", 2, 1, "not YAML", "brackets"),
    "a tab for indentation": (b"a:\n\tb: 1\n", 2, 1, "not YAML", "indentation"),
}

READ: dict[str, tuple[bytes, Any]] = {
    "block and flow": (b"a:\n  - b: {c: [1, two]}\n", {"a": [{"b": {"c": [1, "two"]}}]}),
    "quoted words are texts": (b"[\"no\", '0777', \"2024-01-01\", '~']", ["no", "0777", "2024-01-01", "~"]),
    "numbers that all agree on": (b"[0, -7, 1.5, .5, 1.0e+3, 1.]", [0, -7, 1.5, 0.5, 1000.0, 1.0]),
    "constants": (b"[true, False, null, ~, ]", [True, False, None, None]),
    "texts that look a little like numbers": (
        b"[8Gi, 500m, 1.2.3, v1, 10.0.0.0/8, 1-2, -, e3, 12:99]",
        ["8Gi", "500m", "1.2.3", "v1", "10.0.0.0/8", "1-2", "-", "e3", "12:99"],
    ),
    "block texts": (b"a: |\n  no\n  yes\nb: >-\n  x\n  y\n", {"a": "no\nyes\n", "b": "x y"}),
    "an explicit start and end": (b"---\na: 1\n...\n", {"a": 1}),
    "Windows line ends": (b"a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    "other languages": ("a: Jaén, Zürich, Москва, 東京 Tower\n".encode(), {"a": "Jaén, Zürich, Москва, 東京 Tower"}),
    "as deep as allowed": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """Both passes refuse it; the explanation says where, what is wrong and what would be right."""
    data, line, column, what, fix = REFUSED[name]
    with pytest.raises(RefusedError):
        read(data)
    first = examine(data).refusals[0]
    assert (first.line, first.column) == (line, column), first
    assert what in first.what
    assert fix in first.fix


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    """What everybody reads alike is read, and nothing is found wrong with it."""
    data, expected = READ[name]
    assert examine(data).refusals == ()
    assert expected is None or read(data) == expected


def test_everything_wrong_in_one_file_is_said_at_once() -> None:
    """Given several faults that do not end the reading, all of them are found, in the order of lines."""
    found = examine(b"a: no\nb: 0777\na: 1\nc: !x y\n2: z\n").refusals
    assert [refusal.line for refusal in found] == [1, 2, 3, 4, 5]


def test_the_number_of_refusals_is_bounded() -> None:
    """A file of nothing but faults is not answered by a report of the same size."""
    assert len(examine(b"".join(b"k%d: no\n" % number for number in range(5_000))).refusals) == MAX_REFUSALS


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="ab01:-.,[]{}#&*!|>'\"%@`?~ \n\tnoyesxef_+=", max_size=60))
def test_whatever_is_read_is_read_as_pyyaml_reads_it(text: str) -> None:
    """Given any text, either it is refused with a place, or PyYAML's own loader gives the same value."""
    data = text.encode()
    try:
        mine = read(data)
    except RefusedError:
        assert examine(data).refusals
        return
    assert examine(data).refusals == ()
    theirs = yaml.load(data, Loader=yaml.CSafeLoader)
    assert (mine, _types(mine)) == (theirs, _types(theirs))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_at_all_lead_to_another_error(data: bytes) -> None:
    """Given any bytes, reading ends with a value or a refusal, and both passes agree which."""
    try:
        read(data)
    except RefusedError:
        assert examine(data).refusals
    else:
        assert examine(data).refusals == ()


def _types(value: Any) -> Any:
    """To Python 1, 1.0 and True are equal; to a declaration they are not."""
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    return [_types(item) for item in value] if isinstance(value, list) else type(value)
