"""The documents in which an environment's flags are delivered, and how they are read again. Pure.

``flags.json`` holds what decides each flag (see FlagDecision), by name:
ADX's own provider reads it. ``flags.flagd.json`` is the same for flagd.
Neither holds descriptions; a ConfigMap ends at one mebibyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from policies.configuration.flags import flagd
from policies.configuration.flags.checks import CHECKS
from policies.configuration.flags.errors import FlagInvalid, FlagsUnreadable
from policies.configuration.flags.prerequisites import troubles
from policies.configuration.flags.spec import FlagDecision, FlagSpec, decision_of

ADX_DOCUMENT = "flags.json"
FLAGD_DOCUMENT = "flags.flagd.json"
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


class ReadFlags(NamedTuple):
    """Flags that were read, and why others could not be, both by name."""

    flags: dict[str, FlagDecision]
    unreadable: dict[str, str]


def adx_document(flags: Iterable[FlagSpec]) -> dict[str, Any]:
    """``flags.json`` as plain data."""
    return {flag.name: flag_value(flag) for flag in flags}


def flagd_document(environment: str, flags: Iterable[FlagSpec]) -> dict[str, Any]:
    """``flags.flagd.json`` as plain data. Raises FlagInvalid."""
    return flagd.definition({flag.name: flag for flag in flags}, environment=environment)


def delivered(environment: str, flags: Iterable[FlagSpec]) -> dict[str, dict[str, Any]]:
    """The documents by name, plain data. Never raises for a state that was delivered once, so that it can be restored.

    Validation refuses flags of which flagd's document cannot be made; an older
    version did not know that yet, and what it delivered had ADX's document only.
    """
    flags = tuple(flags)
    documents = {ADX_DOCUMENT: adx_document(flags)}
    with suppress(FlagInvalid):
        documents[FLAGD_DOCUMENT] = flagd_document(environment, flags)
    return documents


def flag_value(flag: FlagDecision) -> dict[str, Any]:
    """A flag as its readers see it: its type, the value of that type, and what else decides it."""
    value: dict[str, Any] = msgspec.to_builtins(decision_of(flag))
    return value


def read_flags(document: bytes) -> ReadFlags:
    """The flags of ``flags.json``. Raises FlagsUnreadable when it is no such document.

    A flag that this version does not understand, or that means nothing, is
    put aside with the reason, and with it those that depend on it: the others
    go on.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise FlagsUnreadable(f"the flags take more than {MAX_DOCUMENT_BYTES} bytes", next_step="deliver fewer")
    try:
        values = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FlagsUnreadable(f"the flags are no JSON object: {error}", next_step="deliver them again") from error
    found, unreadable = _decoded(values)
    while wrong := {one.flag: f"{one.what}" for one in troubles(found)}:
        unreadable |= wrong
        found = {name: flag for name, flag in found.items() if name not in wrong}
    return ReadFlags(found, unreadable)


def _decoded(values: Mapping[str, msgspec.Raw]) -> tuple[dict[str, FlagDecision], dict[str, str]]:
    found: dict[str, FlagDecision] = {}
    unreadable: dict[str, str] = {}
    for name, raw in values.items():
        try:
            flag = msgspec.json.decode(raw, type=FlagDecision)
        except (msgspec.DecodeError, RecursionError) as error:
            unreadable[name] = f"this version cannot read it: {error}"
            continue
        wrong = next((trouble for check in CHECKS for trouble in check(flag)), None)
        if wrong is None:
            found[name] = flag
        else:
            unreadable[name] = wrong.what
    return found, unreadable
