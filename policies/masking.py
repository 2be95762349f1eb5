"""Keeps secrets out of the report: what names a secret, or looks like a credential, is masked. Pure.

Declarations that hold secrets are refused long before; this is the net behind
that one. Three meshes: the key that a value stands under, the shape of the
value, and the values that the desired states themselves hold under secret keys
(a variable's value stands in a list, far from its name).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from policies.change_set import FieldChange
from policies.desired_state import Unit
from policies.secrets import credential_shape, key_names_a_secret
from policies.yaml_text import visible

MASK = "•••"
MASKED = f'"{MASK}"'
PULUMI_MASK = "[secret]"
SHORTEST = 6  # shorter secrets are masked only where they stand alone: they are part of ordinary words

Record = TypeVar("Record", bound=msgspec.Struct)

_SECRET_DATA = re.compile(r"(?:data|stringData)\b|\Z")
_PULUMI_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks a secret, not one
_STEPS = re.compile(r"[^.\[\]\"]+")
# Begins only where a word begins: long words without a sign would otherwise be read once for each of their letters.
_ASSIGNMENT = re.compile(r"(?<![\w.-])([\w.-]+)[\"']?\s*[=:]")
_EQUATION = re.compile(r"(?<![\w.-])([\w.-]+)\s*=")
_MOST_TEXTS_REMEMBERED = 8192

names_a_secret = lru_cache(maxsize=_MOST_TEXTS_REMEMBERED)(key_names_a_secret)


@lru_cache(maxsize=_MOST_TEXTS_REMEMBERED)
def _holds_a_secret(path: str) -> bool:
    """Whether a step of ``path`` names a secret."""
    return any(map(names_a_secret, _STEPS.findall(path)))


def secrets_in(units: Iterable[Unit]) -> frozenset[str]:
    """Every value of ``units`` that stands under a key which names a secret, as text."""
    return frozenset(
        value
        for unit in units
        for value in _secret_values(msgspec.json.decode(msgspec.json.encode(unit.inputs)), False)
    )


def _secret_values(value: Any, is_secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secret_values(item, is_secret or names_a_secret(key))
    elif isinstance(value, list):
        for item in value:
            yield from _secret_values(item, is_secret)
    elif is_secret and value is not None and not isinstance(value, bool) and value != "":
        yield str(value)


class Masker:
    """Masks ``secrets`` wherever they stand, and whatever looks like another."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)
        contained = sorted((one for one in self._secrets if len(one) >= SHORTEST), key=lambda one: (-len(one), one))
        self._contained = re.compile("|".join(map(re.escape, contained))) if contained else None
        # Kinds, systems and paths are the same in thousands of objects.
        self._text_once = lru_cache(maxsize=_MOST_TEXTS_REMEMBERED)(self._text)

    def fields(self, fields: Iterable[FieldChange], kind: str = "") -> tuple[FieldChange, ...]:
        """``fields`` of an object of ``kind`` as anybody may see them; masked ones still count as changed."""
        listed = tuple(fields)
        secret_pairs = _secret_pairs(listed)
        return tuple(self._field(field, kind, secret_pairs) for field in listed)

    def text(self, text: str) -> str:
        """A sentence, a name or a message as anybody may see it, on one line."""
        return self._text_once(text)

    def _text(self, text: str) -> str:
        return visible(_without_assignments(self._known(text), _EQUATION))

    def texts(self, record: Record) -> Record:
        """``record`` with every text in it, and in the records and tuples that it holds, as anybody may see it."""
        named = {name: getattr(record, name) for name in record.__struct_fields__}
        masked = {
            name: self._shown(value) for name, value in named.items() if isinstance(value, msgspec.Struct | str | tuple)
        }
        return msgspec.structs.replace(record, **masked)

    def _shown(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._shown, value))
        if isinstance(value, msgspec.Struct):
            return self.texts(value)
        return self.text(value) if isinstance(value, str) else value

    def _field(self, field: FieldChange, kind: str, secret_pairs: frozenset[str]) -> FieldChange:
        is_secret = (
            (kind == "Secret" and _SECRET_DATA.match(field.path) is not None)
            or field.path in secret_pairs
            or _holds_a_secret(field.path)
        )
        return FieldChange(
            path=self.text(field.path),
            before=self._json(field.before, is_secret, kind),
            after=self._json(field.after, is_secret, kind),
        )

    def _json(self, text: str | None, is_secret: bool, kind: str) -> str | None:
        if text is None:
            return None
        try:
            value = msgspec.json.decode(text)
            masked = self._value(value, is_secret, kind)
        except (msgspec.DecodeError, RecursionError):
            return MASKED
        shown = text if masked == value else msgspec.json.encode(masked, order="deterministic").decode()
        return shown if visible(shown) == shown else _ascii(masked)

    def _value(self, value: Any, is_secret: bool, kind: str = "") -> Any:
        if isinstance(value, dict):
            return self._mapping(value, is_secret, kind)
        if isinstance(value, list):
            return [self._value(item, is_secret) for item in value]
        if isinstance(value, bool) or value is None or value in ("", PULUMI_MASK):
            return value
        if is_secret:
            return MASK
        return self._string(value) if isinstance(value, str) else value

    def _mapping(self, value: dict[str, Any], is_secret: bool, kind: str) -> Any:
        if _PULUMI_SECRET in value:
            return PULUMI_MASK
        is_secret_object = "Secret" in (kind, value.get("kind"))
        name = value.get("name")
        is_secret_pair = isinstance(name, str) and names_a_secret(name)
        return {
            self._known(key): self._value(
                item,
                is_secret
                or names_a_secret(key)
                or (is_secret_pair and key == "value")
                or (is_secret_object and key in ("data", "stringData")),
            )
            for key, item in value.items()
        }

    def _string(self, text: str) -> str:
        if text in self._secrets:
            return MASK
        document = self._document(text) if text.startswith(("{", "[")) else None
        return _without_assignments(self._known(text), _ASSIGNMENT) if document is None else document

    def _document(self, text: str) -> str | None:
        """A JSON document in a string, for example a file of a ConfigMap; None when it is none."""
        try:
            value = msgspec.json.decode(text)
            masked = self._value(value, False)
        except (msgspec.DecodeError, RecursionError):
            return None
        if masked == value:
            return text
        return msgspec.json.format(msgspec.json.encode(masked, order="deterministic"), indent=2).decode()

    def _known(self, text: str) -> str:
        if credential_shape(text) is not None:
            return MASK
        return self._contained.sub(MASK, text) if self._contained is not None else text


def _without_assignments(text: str, assignment: re.Pattern[str]) -> str:
    """``password=…`` keeps its key; the rest of the line goes, since nobody knows where the value ends."""
    if "=" not in text and ":" not in text:
        return text
    return "\n".join(_without_assignment(line, assignment) for line in text.split("\n"))


def _without_assignment(line: str, assignment: re.Pattern[str]) -> str:
    for match in assignment.finditer(line):
        if match.end() < len(line) and _holds_a_secret(match.group(1)):
            return f"{line[: match.end()]}{MASK}"
    return line


def _secret_pairs(fields: tuple[FieldChange, ...]) -> frozenset[str]:
    """Paths of values whose sibling ``name`` changes too and names a secret: ``env[2].name`` and ``env[2].value``."""
    return frozenset(
        f"{field.path.removesuffix('.name')}.value"
        for field in fields
        if field.path.endswith(".name") and any(map(names_a_secret, (field.before or "", field.after or "")))
    )


def _ascii(value: Any) -> str:
    """JSON of plain ASCII, so that nothing hides in it."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True).replace("\x7f", "\\u007f")
