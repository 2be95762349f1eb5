"""Whether a value is what its schema says. Pure; the schema's patterns run in linear time, nothing is fetched."""

from __future__ import annotations

from functools import lru_cache

import jsonschema_rs
import msgspec

from policies.configuration.spec import Scalar, ValueSchema


def why_value_is_refused(value: Scalar, schema: ValueSchema) -> str | None:
    """Why ``schema`` does not accept ``value``, which is not quoted; None when it does.

    Raises ValueError when ``schema`` itself cannot be used.
    """
    for error in _validator(msgspec.json.encode(schema)).iter_errors(value):
        return f"the schema of the value is not kept: {error.message}"
    return None


def why_schema_is_refused(schema: ValueSchema) -> str | None:
    """Why ``schema`` cannot be used or accepts nothing; None when it is well made."""
    try:
        _validator(msgspec.json.encode(schema))
    except ValueError:
        return "the pattern cannot be used: it is wrong, or needs look-around or back-references"
    for least, greatest in (
        (schema.minimum, schema.maximum),
        (schema.exclusive_minimum, schema.exclusive_maximum),
        (schema.min_length, schema.max_length),
    ):
        if least is not None and greatest is not None and least > greatest:
            return f"nothing is at least {least:g} and at most {greatest:g}"
    return None


@lru_cache(maxsize=4096)
def _validator(schema: bytes) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        msgspec.json.decode(schema),
        pattern_options=jsonschema_rs.RegexOptions(),
        validate_formats=True,
        mask="the value",
        offline=True,
    )
