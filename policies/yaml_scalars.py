"""What an unquoted scalar means, if YAML 1.1 and 1.2 agree on it. Pure.

Readers of YAML differ: ``no`` is false to one and a text to the other, ``0777``
is 511 or 777, ``1:30`` is 90 or a text. Such a scalar is refused: a declaration
means the same whoever reads it.
"""

from __future__ import annotations

import re
from typing import Final

Plain = str | int | float | bool | None

_CONSTANTS: Final[dict[str, Plain]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORDS_OF_YAML_1_1 = frozenset(
    form for word in ("yes", "no", "on", "off", "y", "n") for form in (word, word.capitalize(), word.upper())
)
# No other first character begins anything but a text.
_TEXT_UNLESS = frozenset("0123456789+-.~nNtTfFyYoO=<")

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\Z")
_FLOAT = re.compile(r"(?:[-+]?(?:0|[1-9][0-9]{0,30})\.[0-9]{0,60}|\.[0-9]{1,60})(?:[eE][-+][0-9]{1,4})?\Z")
# Every alternative is linear: what one repetition takes, the next cannot.
_NUMBER_TO_SOMEBODY = re.compile(
    r"""[-+]?(?:
        0b[01_]+ | 0o[0-7_]+ | 0x[0-9a-fA-F_]+                  # other bases
      | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?             # base 60
      | [0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?          # leading zeros, underscores, exponents, many digits
      | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
      )\Z""",
    re.VERBOSE,
)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]|\Z)")
_WORTH_REMEMBERING = 64
_MAX_REMEMBERED = 50_000


class AmbiguousError(ValueError):
    """It means different things to different readers. ``what`` and ``fix`` repeat nothing that may be secret."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def plain_value(text: str) -> Plain:
    """The value of the unquoted scalar ``text``. Raises AmbiguousError."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _TEXT_UNLESS:
        return text
    if _INTEGER.match(text):
        return _integer(text)
    if _FLOAT.match(text):
        return _finite(text)
    refusal = _refusal(text)
    if refusal is not None:
        raise refusal
    return text


class PlainValues(dict[str, Plain]):
    """:func:`plain_value`, remembering short texts: in thousands of files they are the same few hundred."""

    def __missing__(self, text: str) -> Plain:
        """Work it out. Raises AmbiguousError."""
        value = plain_value(text)
        if len(text) <= _WORTH_REMEMBERING and len(self) < _MAX_REMEMBERED:
            self[text] = value
        return value


def _integer(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise AmbiguousError("this number has more than 64 bits, which many readers round", "quote it")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise AmbiguousError("this number is too large to be kept", "write a number below 1.8e+308")
    return value


def _refusal(text: str) -> AmbiguousError | None:
    """Why ``text`` is not simply a text; None when it is one to everybody."""
    if text in _WORDS_OF_YAML_1_1:
        truth = "true" if text.lower() in {"yes", "on", "y"} else "false"
        return AmbiguousError(
            f"{text} is the truth value {truth} in YAML 1.1 and a text in YAML 1.2",
            f'write {truth}, or quote it: "{text}"',
        )
    if _NOT_FINITE.match(text):
        return AmbiguousError("infinity and not-a-number are no values here", "write a number, or quote it")
    if text == "<<":
        return AmbiguousError("merge keys (<<) exist in YAML 1.1 only", "write the keys out")
    if text == "=":
        return AmbiguousError("= has a meaning of its own in YAML 1.1", 'quote it: "="')
    if _DATE.match(text):
        return AmbiguousError("YAML 1.1 makes a date of this, YAML 1.2 a text", "quote it")
    if _NUMBER_TO_SOMEBODY.match(text):
        return AmbiguousError(
            "not every reader of YAML takes this for the same number, or for a number at all",
            "write a plain decimal number without leading zeros, or quote it",
        )
    return None
