"""Lines of declarations as they may be shown to anybody: without secrets and without hidden characters. Pure.

A broken file is the likeliest place for a secret that somebody just put into
clear, and a report of what is wrong travels further than the file. So what
stands under a key that looks secret is not shown, nor is what looks like a
credential, whatever state the YAML is in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from policies.secrets import credential_shape, key_names_a_secret
from policies.yaml_text import visible

MASK = "•••"
LONGEST_LINE = 500

_KEY = re.compile(r"""(?:^|[\s{,"'-])([A-Za-z_][\w.-]*)["']?\s*:(?=\s|$|["'{\[])""")


def shown_lines(text: str, wanted: Mapping[int, bool]) -> dict[int, str]:
    """The lines of ``text`` whose numbers (from 1) are ``wanted``, as they may be shown; very long ones are left out.

    ``wanted[number]`` is True where nothing after the first key may be shown,
    because nobody knows what an unknown key is for.
    """
    shown: dict[int, str] = {}
    enclosing: list[tuple[int, bool]] = []  # indentation of the keys around a line, and whether one looks secret
    last = max(wanted, default=0)
    for number, line in enumerate(text.split("\n")[:last], start=1):
        keys = [match.group(1) for match in _KEY.finditer(line[:LONGEST_LINE])]
        while keys and enclosing and enclosing[-1][0] >= _indentation(line):
            enclosing.pop()
        if number in wanted and len(line) <= LONGEST_LINE:
            is_masked = any(is_secret for _, is_secret in enclosing)
            shown[number] = _masked(line) if is_masked else _shown(line, hides_value=wanted[number])
        if keys:
            enclosing.append((_indentation(line), any(map(key_names_a_secret, keys))))
    return shown


def _shown(line: str, *, hides_value: bool) -> str:
    if credential_shape(line) is not None:
        return _masked(line)
    for key in _KEY.finditer(line):
        if (hides_value or key_names_a_secret(key.group(1))) and line[key.end() :].strip():
            return f"{visible(line[: key.end()])} {MASK}"
    return visible(line.rstrip("\r"))


def _masked(line: str) -> str:
    return " " * _indentation(line) + MASK


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
