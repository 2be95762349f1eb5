"""Which variables are taken for secrets, more strictly than the validator does. Pure; never repeats a value.

The validator refuses what is surely a secret, since nobody can overrule it. A
proposal is read by a person, and what it writes stays in git for ever: here a
doubt is enough. Beyond the validator's rules, a value is taken for a secret

- by its name: a word of it is KEY, PASS, PW, DSN, CRED or TOKENS, beside those that the validator knows (PASSWORD, PWD,
  TOKEN, CREDENTIAL, …), and it does not end as a name about secrets does (``KEY_PATH``); not where the value is a yes
  or no, a reference (``${NAME}``), or an address without anything secret in it. False positives: ``CACHE_KEY``,
  ``PUBLIC_KEY``, ``MAX_TOKENS``.
- by ``user:password@`` anywhere. False positives: ``admin:bob@example.com``.
- by a setting in it that the validator's names call a secret, PASS too: ``host=db password=x``, ``-DkeyPassword=x``.
- by looking random: 32 and more hexadecimal digits with an entropy of 3.0 bits (the limit of detect-secrets'
  HexHighEntropyString); or 20 and more characters of base64, letters and digits among them, with 3.5 bits (as of
  gitleaks' rule generic-api-key) in which the class of characters changes at every fifth on average, a capital before
  small letters not counted: other than in paths and names, which alone have that entropy, too. Entropy is Shannon's,
  of how often each character stands there. Of random keys of 16 to 32 bytes that finds 19 in 20 and more, of those in
  base32 4 in 5. False positives: bare checksums, and anything else in base64. Missed: words, short passwords.
  Sources: https://github.com/gitleaks/gitleaks (config), https://github.com/Yelp/detect-secrets (plugins).

UUIDs, digests with their algorithm (``sha256:…``), certificates and public keys are no secrets, nor are bare
hexadecimal digits under COMMIT, SHA, REVISION, DIGEST, CHECKSUM.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection
from itertools import pairwise

from policies.configuration.values_secrets import is_secret_text
from policies.secrets import credential_shape, key_names_a_secret

REFUSED = "looks like a secret in clear: put it where the reference leads"
BY_NAME, BY_ADDRESS, BY_SETTING, AT_RANDOM = (
    f"may be a secret, {why}: put it where the reference leads; if it is none, write its value here"
    for why in ("by its name", "as in user:password@", "by a setting in it", "as it looks random")
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS_INSIDE = frozenset({"pass", "pw", "dsn", "cred", "creds"})
_WORDS_OF_NAMES = _WORDS_INSIDE | {"key", "keys", "tokens"}
_WORDS_OF_CHECKSUMS = frozenset({"commit", "sha", "revision", "digest", "checksum"})
_NO_SECRET = re.compile(r"(?:true|false|yes|no|on|off|none|null|0|1|\$[({][a-z_][\w.]*[)}])\Z", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://[a-z0-9.-]+(?::\d{1,5})?|[a-z0-9.-]+:\d{1,5})(?:/[\w./-]*)?\Z", re.IGNORECASE
)
# Neither a scheme nor a port before a path; no address of e-mail and the like; no image with its digest.
_USER_AND_PASSWORD = re.compile(
    r"(?<!mailto)(?<!acct)(?<!sip)(?<!sips)(?<!xmpp):(?!//|\d{1,5}/)[^\s@\"']{1,256}@(?!sha(?:256|384|512):[0-9a-f]{64})"
)
_SETTING = re.compile(
    r"([A-Za-z][A-Za-z0-9_.-]{0,63})[\"']?\s*+(?:=|:(?!//|\d{1,5}(?!\w)))\s*+[\"']?([^\s\"',;&]{1,256})"
)
_PUBLIC = re.compile(
    r"\b(?:sha256|sha384|sha512):[0-9a-f]{64,128}\b"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[^-]*-----END \1-----",
    re.IGNORECASE,
)
_DENSE = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+\Z")
_LEAST_HEXADECIMAL_DIGITS = 32
_LEAST_BITS, _LEAST_HEXADECIMAL_BITS = 3.5, 3.0
_CAPITALISED = ("upper", "lower")
_CHARACTERS_OF_A_CLASS = 5


def why_secret(name: str, value: str) -> str | None:
    """What to say of the variable ``name`` when it is taken for a secret; None when it is not."""
    if is_secret_text(value) or credential_shape(value) is not None:
        return REFUSED
    if value == "":
        return None
    if key_names_a_secret(name):
        return REFUSED
    if _names_a_secret(name, _WORDS_OF_NAMES) and not (_NO_SECRET.match(value) or _ADDRESS.match(value)):
        return BY_NAME
    if _USER_AND_PASSWORD.search(value):
        return BY_ADDRESS
    if any(_names_a_secret(key, _WORDS_INSIDE) and not _NO_SECRET.match(one) for key, one in _SETTING.findall(value)):
        return BY_SETTING
    is_checksum = any(word.lower() in _WORDS_OF_CHECKSUMS for word in _WORD.findall(name))
    return AT_RANDOM if _is_random(value, but_hexadecimal=is_checksum) else None


def _names_a_secret(name: str, words: Collection[str]) -> bool:
    """As the validator decides, with each of ``words`` meaning ``secret``."""
    return key_names_a_secret(_WORD.sub(lambda m: "_secret_" if m.group().lower() in words else m.group(), name))


def _is_random(value: str, *, but_hexadecimal: bool) -> bool:
    for text in _DENSE.findall(_PUBLIC.sub(" ", value)):
        if _HEXADECIMAL.match(text):
            is_long = len(text) >= _LEAST_HEXADECIMAL_DIGITS and not text.isdecimal()
            if is_long and not but_hexadecimal and _entropy_bits(text) >= _LEAST_HEXADECIMAL_BITS:
                return True
        elif _is_mixed(text) and _entropy_bits(text) >= _LEAST_BITS:
            return True
    return False


def _is_mixed(text: str) -> bool:
    """Whether letters and digits are there, and classes of characters change as often as in nothing that is spelled."""
    classes = [_class_of(one) for one in text if one.isalnum()]
    changes = sum(one != other and (one, other) != _CAPITALISED for one, other in pairwise(classes))
    return len({*classes} - {"digit"}) > 0 and "digit" in classes and changes * _CHARACTERS_OF_A_CLASS >= len(text)


def _class_of(character: str) -> str:
    return "digit" if character.isdecimal() else "upper" if character.isupper() else "lower"


def _entropy_bits(text: str) -> float:
    """Shannon's entropy of a character of ``text``, by how often each stands in it."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
