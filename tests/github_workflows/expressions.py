"""GitHub's ``${{ }}`` expressions, as far as the workflows use them; anything else is refused, never guessed.

Values are what JSON knows. Both sides of ``&&`` and ``||`` are always
evaluated, which is the same because nothing here has effects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["success", "failure", "cancelled"]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(&&|\|\||==|!=|[!()\[\],.]))")
_PLACE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


class ExpressionError(Exception):
    """The expression cannot be read, or uses what is not known here."""


@dataclass
class Expression:
    """One expression; ``asks_status`` after evaluation says whether it called ``success()`` or one of its kind."""

    text: str
    contexts: Mapping[str, Any]
    status: Status = "success"
    asks_status: bool = False
    _tokens: list[str] = field(default_factory=list)

    def value(self) -> Any:
        """What the expression says. Raises ExpressionError."""
        self._tokens = _tokens(self.text)
        value = self._either()
        if self._tokens:
            raise ExpressionError(f"{self.text!r}: {self._tokens[0]!r} was not expected")
        return value

    def _either(self) -> Any:
        value = self._both()
        while self._accept("||"):
            other = self._both()
            value = value if is_true(value) else other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._accept("&&"):
            other = self._compared()
            value = other if is_true(value) else value
        return value

    def _compared(self) -> Any:
        value = self._negated()
        while self._tokens and self._tokens[0] in ("==", "!="):
            operator = self._tokens.pop(0)
            value = _are_equal(value, self._negated()) is (operator == "==")
        return value

    def _negated(self) -> Any:
        return not is_true(self._negated()) if self._accept("!") else self._followed()

    def _followed(self) -> Any:
        value = self._primary()
        while self._tokens and self._tokens[0] in (".", "["):
            if self._tokens.pop(0) == ".":
                key: Any = self._tokens.pop(0)
            else:
                key = self._either()
                self._expect("]")
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def _primary(self) -> Any:
        if not self._tokens:
            raise ExpressionError(f"{self.text!r} ends too soon")
        token = self._tokens.pop(0)
        if token == "(":
            value = self._either()
            self._expect(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit():
            return float(token)
        if self._accept("("):
            return self._called(token)
        if token in _WORDS:
            return _WORDS[token]
        if token not in self.contexts:
            raise ExpressionError(f"{self.text!r}: there is no context {token!r} here")
        return self.contexts[token]

    def _called(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._accept(")"):
            arguments.append(self._either())
            self._accept(",")
        if name in ("success", "failure", "cancelled", "always"):
            self.asks_status = True
            return name in ("always", self.status)
        if name not in _FUNCTIONS:
            raise ExpressionError(f"{self.text!r}: the function {name!r} is not known here")
        return _FUNCTIONS[name](*arguments)

    def _accept(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise ExpressionError(f"{self.text!r}: {token!r} is missing")


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """``text`` with the value of every ``${{ }}`` in it."""
    return _PLACE.sub(lambda found: as_text(Expression(found[1], contexts).value()), text)


def holds(condition: str | bool | None, contexts: Mapping[str, Any], status: Status) -> bool:
    """Whether an ``if:`` holds. Without a word about the status it also wants that nothing failed."""
    if condition is None:
        return status == "success"
    text = str(condition).strip()
    whole = _PLACE.fullmatch(text)
    expression = Expression(whole[1] if whole else text, contexts, status)
    value = is_true(expression.value())
    return value and (expression.asks_status or status == "success")


def is_true(value: Any) -> bool:
    """As GitHub takes it: ``false``, ``0``, ``''`` and ``null`` are not true, whatever is empty otherwise is."""
    return not (value is None or value is False or value in ("", 0))


def as_text(value: Any) -> str:
    """The value inside a text; ExpressionError for an object or a list, which nobody wants there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int | str):
        return str(value)
    raise ExpressionError(f"{value!r} is no text")


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if type(one) is type(other):
        return bool(one == other)
    return _number(one) == _number(other)


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, str):
        return as_text(what).casefold() in where.casefold()
    return isinstance(where, Sequence) and any(_are_equal(item, what) for item in where)


def _format(text: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda found: as_text(values[int(found[1])]), text)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "contains": _contains,
    "format": _format,
    "fromJSON": json.loads,
    "startsWith": lambda text, start: as_text(text).casefold().startswith(as_text(start).casefold()),
}


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    rest = text.strip()
    while rest:
        token = _TOKEN.match(rest)
        if token is None:
            raise ExpressionError(f"{text!r} cannot be read from {rest!r} on")
        found.append(token[0].strip())
        rest = rest[token.end() :].strip()
    return found
