"""Lines of declarations as they may be shown to anybody: without secrets and without hidden characters. Pure.

A broken file is the likeliest place for a secret that somebody just put into
clear, and a report of what is wrong travels further than the file. So what
stands under a key that looks secret is not shown, nor is what looks like a
credential, whatever state the YAML is in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.secrets import credential_shape, key_names_a_secret
from policies.yaml_text import visible

MASK = "•••"

_KEY = re.compile(r"""(?:^|[\s{,"'-])([A-Za-z_][\w.-]*)["']?\s*:(?=\s|$|["'{\[])""")


def shown_line(lines: Sequence[str], number: int, *, hides_value: bool = False) -> str:
    """Line ``number`` (from 1) of ``lines``; empty when there is no such line.

    ``hides_value``: nothing after its first key is shown, because nobody knows
    what an unknown key is for.
    """
    if not 1 <= number <= len(lines):
        return ""
    line = lines[number - 1].rstrip("\r")
    if credential_shape(line) is not None or _is_under_a_secret(lines, number):
        return _indentation(line) + MASK
    for key in _KEY.finditer(line):
        if (hides_value or key_names_a_secret(key.group(1))) and line[key.end() :].strip():
            return f"{visible(line[: key.end()])} {MASK}"
    return visible(line)


def _is_under_a_secret(lines: Sequence[str], number: int) -> bool:
    """Whether a key above, which the line may belong to, looks like a secret's.

    Keys of lines that are indented less, and, for a line that has no key of
    its own, the nearest key whatever its indentation.
    """
    line = lines[number - 1]
    indentation, has_owner = len(_indentation(line)), _KEY.search(line) is not None
    for above in reversed(lines[: number - 1]):
        keys = [match.group(1) for match in _KEY.finditer(above)]
        is_outer = len(_indentation(above)) < indentation
        if not keys or (has_owner and not is_outer):
            continue
        if any(key_names_a_secret(key) for key in keys):
            return True
        has_owner = True
        indentation = min(indentation, len(_indentation(above)))
    return False


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]
