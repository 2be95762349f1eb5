"""Secrets do not belong into declarations: they would stay in git for ever.

A value is refused when its key says that it is one, or when it has the shape
of a well-known credential. Nothing here ever repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec

from policies.configuration.spec import Scalar
from policies.configuration.values_secrets import is_secret_text
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, tenant_file, tenant_rule
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec

_FIX = "take it out, keep it in a secret store, and replace it there: what was committed is known"

# Each shape with a fixed text that it always contains: searching for that first
# costs next to nothing, and nearly no document has any.
_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("AKIA", "an AWS access key id", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    ("ASIA", "an AWS access key id", re.compile(r"\bASIA[0-9A-Z]{16}\b")),
    ("PRIVATE KEY-----", "a private key", re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")),
    *((f"gh{kind}_", "a GitHub token", re.compile(rf"\bgh{kind}_[A-Za-z0-9]{{30,}}")) for kind in "pousr"),
    ("github_pat_", "a GitHub token", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,}")),
    ("glpat-", "a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("eyJ", "a JSON Web Token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,4000}\.")),
    ("://", "an address with a password", re.compile(r"://[^/\s:@]*:[^/\s@]+@")),
    ("xox", "a Slack token", re.compile(r"\bxox[abeprs]-[0-9A-Za-z-]{10,}")),
    ("AIza", "a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("_live_", "a payment key", re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}")),
    ("hvs.", "a Vault token", re.compile(r"\bhvs\.[A-Za-z0-9_-]{20,}")),
)

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_STEMS = ("password", "passwd", "passphrase", "secret", "credential", "apikey", "privatekey", "authorization")
_SECRET_ENDINGS = ("token", "pwd")
_SECRET_PAIRS = frozenset({("private", "key"), ("api", "key"), ("access", "key"), ("signing", "key"), ("auth", "key")})
# A key that ends so is about a secret without being one.
_ABOUT_WORDS = frozenset(
    {"age", "algorithm", "audience", "count", "days", "enabled", "expiry", "file", "header", "hours", "id", "issuer"}
    | {"length", "limit", "max", "min", "minutes", "name", "path", "policy", "ref", "required", "rotation", "seconds"}
    | {"size", "ttl", "type", "uri", "url", "version"}
)

# What any finding needs somewhere in its document, in lower case: without it there is nothing to look at closer.
_TRACES = tuple(
    text.lower().encode() for text in (*_SECRET_STEMS, *_SECRET_ENDINGS, "key", *(row[0] for row in _SHAPES))
)
# Where a key is the author's own: a variable, a header, a setting.
_FREE_KEYS = re.compile(r"(?:^values\.[^.]+|\.env|\.http_headers|^overrides\.[^.]+\.configuration\.[^.]+)\.[^.]+\Z")


@environment_rule("secrets.in-clear")
def environments_hold_no_secrets(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No document of an environment holds a secret in clear."""
    documents: dict[str, Spec] = {
        "environment": declared.environment,
        "services": declared.services,
        "configuration": declared.configuration,
        "flags": declared.flags,
    }
    if declared.migrations is not None:
        documents["migrations"] = declared.migrations
    for document, spec in documents.items():
        for path, what in _findings(spec):
            yield Finding(file=environment_file(environment, document), path=path, what=what, fix=_FIX)


@tenant_rule("secrets.in-clear")
def tenants_hold_no_secrets(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """No tenant's document holds a secret in clear."""
    for path, what in _findings(tenant):
        yield Finding(file=tenant_file(name), path=path, what=what, fix=_FIX)


def credential_shape(text: str) -> str | None:
    """The kind of credential that ``text`` contains, None when none is known."""
    for marker, kind, shape in _SHAPES:
        if marker in text and shape.search(text):
            return kind
    return None


def key_names_a_secret(key: str) -> bool:
    """Whether a value under ``key`` is a secret by its name: ``DB_PASSWORD`` is, ``PASSWORD_MIN_LENGTH`` is not."""
    words = [word.lower() for word in _WORDS.findall(key)]
    if not words or words[-1] in _ABOUT_WORDS:
        return False
    if any(pair in _SECRET_PAIRS for pair in pairwise(words)):
        return True
    return any(word.endswith(_SECRET_ENDINGS) or any(stem in word for stem in _SECRET_STEMS) for word in words)


def _findings(spec: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """Path and finding of everything in ``spec`` that looks like a secret."""
    encoded = msgspec.json.encode(spec).lower()
    if not any(trace in encoded for trace in _TRACES):
        return
    document = msgspec.to_builtins(spec)
    for path, key, value in _values(document):
        shape = credential_shape(value) if isinstance(value, str) else None
        if shape is not None:
            yield path, f"this looks like {shape}"
        elif isinstance(value, bool) or value == "" or is_secret_text(value):
            continue  # no secret, or one in a form that only Vault can open
        elif key_names_a_secret(key) and _FREE_KEYS.search(path):
            yield path, f"the key {key} says that its value is a secret, and it stands here in clear"


def _values(value: object, path: str = "", key: str = "") -> Iterator[tuple[str, str, Scalar]]:
    """Every scalar below ``value`` with its path and the key it stands under."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _values(item, f"{path}.{name}" if path else name, name)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _values(item, f"{path}[{index}]", key)
    elif isinstance(value, str | int | float | bool):
        yield path, key, value


RULES: tuple[Rule, ...] = (environments_hold_no_secrets, tenants_hold_no_secrets)
