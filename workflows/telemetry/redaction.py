"""Takes secrets and control characters out of text before anyone can read it. Pure but for reading secret files.

Three nets, one behind the other: values that are known to be secret (from the
files and variables that hold them, in the encodings they travel in), keys
whose name says secret, and the shapes of common tokens.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

MASK = "[redacted]"
SHORTEST_SECRET = 6  # masking shorter values would blank ordinary words
LONGEST_TEXT = 16_384
DEEPEST = 8

_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|snapshot[_-]?key$"
    r"|authorization|credential|cookie|signature",
    re.IGNORECASE,
)
# Names that match the pattern and hold no secret: counters, paths, references.
_HARMLESS_NAME = re.compile(r"fencing[_-]?token|_(file|path|name|count|ref|id)$|_configured$", re.IGNORECASE)
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,16384}?-----END [A-Z ]{0,40}PRIVATE KEY-----"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_\w{20,255}|\bglpat-[\w-]{20,255}|\bhvs\.[\w-]{20,255}"
    r"|\bAKIA[A-Z0-9]{16}\b"
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,4096}", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]{0,256}:)[^@\s/]{1,1024}(@)")
# C0, DEL, C1, line and paragraph separators, bidirectional controls, lone surrogates.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escape_control(text: str) -> str:
    """``text`` on one line and in one direction: control characters are written as escapes."""
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT_ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def is_secret_name(name: str) -> bool:
    """Whether a value stored under ``name`` is to be masked whatever it is."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


@dataclass(frozen=True, slots=True, repr=False)
class Redactor:
    """Masks secrets; ``pattern`` finds the known ones, None when there are none."""

    pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Redactor:
        """A redactor that knows ``secrets`` in clear and in the encodings they travel in."""
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_SECRET}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return cls(re.compile("|".join(map(re.escape, longest_first))) if longest_first else None)

    def text(self, text: str) -> str:
        """``text`` without secrets; line breaks stay."""
        if self.pattern is not None:
            text = self.pattern.sub(MASK, text)
        text = _SHAPES.sub(MASK, text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        return _URL_PASSWORD.sub(rf"\1{MASK}\2", text)

    def line(self, text: str) -> str:
        """``text`` without secrets, on one line, of bounded length."""
        clean = escape_control(self.text(text))
        left_out = len(clean) - LONGEST_TEXT
        return clean if left_out <= 0 else f"{clean[:LONGEST_TEXT]}… ({left_out} more characters)"

    def value(self, value: object, *, depth: int = 0) -> object:
        """A copy of ``value`` made of JSON types only, every text in it a clean line."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth >= DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {self.line(str(key)): self.field(str(key), item, depth=depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth=depth + 1) for item in value]
        if isinstance(value, bytes | bytearray):
            return self.line(bytes(value).decode("utf-8", "backslashreplace"))
        return self.line(value if isinstance(value, str) else str(value))

    def field(self, name: str, value: object, *, depth: int = 0) -> object:
        """``value`` as stored under ``name``: masked wholly when the name says secret."""
        if is_secret_name(name) and value is not None and not isinstance(value, bool):
            return MASK
        return self.value(value, depth=depth)


def known_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The secret values that ``environ`` holds or names: variables, secret files, passwords in addresses.

    A file that cannot be read is passed over: whoever needs it reports that.
    """
    found: set[str] = set()
    for name, value in environ.items():
        if not value:
            continue
        if name.upper().endswith("_FILE") and is_secret_name(name.upper().removesuffix("_FILE")):
            found.add(_content(Path(value)))
        elif is_secret_name(name):
            found.add(value.strip())
        if "://" in value:
            found.add(_password(value))
    return frozenset(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _password(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def _forms(secret: str) -> Iterable[str]:
    """The secret as it may appear: plain, percent-encoded, base64, escaped; and its long lines one by one."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield json.dumps(secret)[1:-1]
    yield escape_control(secret)
    if "\n" in secret:
        yield from (line for line in secret.splitlines() if len(line) >= 16)
