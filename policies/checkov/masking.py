"""Objects without the values that look secret, before anything outside ADX sees them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policies.secrets import credential_shape, key_names_a_secret

MASK = "(masked)"


def masked(value: Any, key: str = "") -> Any:
    """A copy of ``value``, which stands under ``key``, with every text masked that is a secret by name or by shape.

    Looks also into variables of containers (``name`` beside ``value``) and into texts that are JSON documents.
    """
    if isinstance(value, Mapping):
        own_name = value.get("name")
        named = own_name if isinstance(own_name, str) and "value" in value else ""
        return {name: masked(item, named if name == "value" and named else str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, key) for item in value]
    return _masked_text(value, key) if isinstance(value, str) else value


def _masked_text(text: str, key: str) -> str:
    if text and key_names_a_secret(key):
        return MASK
    if text.startswith("{"):
        try:
            return json.dumps(masked(json.loads(text)))
        except ValueError:
            pass  # a text that only begins like a document is judged as a text
    return MASK if credential_shape(text) else text
