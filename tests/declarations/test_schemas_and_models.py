"""The JSON Schemas and the models say the same, field by field, so that neither can drift."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from msgspec.inspect import (
    AnyType,
    BoolType,
    DictType,
    Field,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

from policies.schemas import KINDS, Kind, schema_for, validator_for
from tests.support.declared import MODELS

Schema = dict[str, Any]
SCALARS: dict[type[Type], str] = {StrType: "string", IntType: "integer", FloatType: "number", BoolType: "boolean"}


def resolved(schema: Schema, root: Schema) -> Schema:
    """``schema`` with its reference, if any, replaced by what it refers to."""
    reference = schema.get("$ref")
    return root["$defs"][reference.removeprefix("#/$defs/")] if reference else schema


def places(schema: Schema, root: Schema, path: str = "") -> Iterator[tuple[str, Schema, Schema]]:
    """Every subschema that describes a value: its path, as it is written, and resolved."""
    target = resolved(schema, root)
    yield path, schema, target
    for name, item in target.get("properties", {}).items():
        yield from places(item, root, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(target.get(keyword), dict):
            yield from places(target[keyword], root, f"{path}.*")


def patterns(kind: Kind) -> set[str]:
    """Every pattern anywhere in the schema of ``kind``."""
    quoted = re.findall(r'"pattern":("(?:[^"\\]|\\.)*")', msgspec.json.encode(schema_for(kind)).decode())
    return {msgspec.json.decode(text, type=str) for text in quoted}


def assert_agrees(schema: Schema, model: Type, root: Schema, path: str) -> None:
    """The schema allows values of exactly the model's type."""
    schema = resolved(schema, root)
    if isinstance(model, StructType):
        assert_object_agrees(schema, model, root, path)
    elif isinstance(model, VarTupleType):
        assert schema["type"] == "array", path
        assert_agrees(schema["items"], model.item_type, root, f"{path}[]")
    elif isinstance(model, DictType):
        assert schema["type"] == "object", path
        assert schema["propertyNames"]["type"] == "string", path
        assert_agrees(schema["additionalProperties"], model.value_type, root, f"{path}.*")
    elif isinstance(model, LiteralType):
        assert set(schema["enum"]) == set(model.values), path
    elif isinstance(model, UnionType):
        names = {SCALARS[type(item)] for item in model.types}
        # A JSON Schema number may be whole, so int adds nothing to float.
        assert set(schema["type"]) == (names - {"integer"} if "number" in names else names), path
    elif isinstance(model, AnyType):
        # Of several kinds, objects among them: only the schema can say which.
        assert len(schema["type"]) > 1, path
    else:
        assert schema["type"] == SCALARS[type(model)], path


def assert_object_agrees(schema: Schema, model: StructType, root: Schema, path: str) -> None:
    """Names, required fields, defaults and types of an object are those of the model."""
    properties = {name: item for name, item in schema["properties"].items() if name not in {"apiVersion", "kind"}}
    fields = {field.encode_name: field for field in model.fields}
    assert schema["additionalProperties"] is False, path
    assert properties.keys() == fields.keys(), path
    required = set(schema.get("required", ())) - {"apiVersion", "kind"}
    assert required == {name for name, field in fields.items() if field.required}, path
    for name, field in fields.items():
        place = f"{path}.{name}"
        assert properties[name].get("default") == default_of(field), place
        assert_agrees(properties[name], without_none(field.type), root, place)


def default_of(field: Field) -> object:
    """The default as JSON; None when there is none or when it is left out."""
    if field.default is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default, builtin_types=()) if field.default != () else []
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else None


def without_none(model: Type) -> Type:
    """What a field may hold when it is not left out."""
    if isinstance(model, UnionType):
        types = tuple(item for item in model.types if not isinstance(item, NoneType))
        return types[0] if len(types) == 1 else UnionType(types)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_schema_and_model_have_the_same_fields_types_and_defaults(kind: Kind) -> None:
    """Given a kind, its schema and its model agree at every depth."""
    schema = schema_for(kind)
    assert_agrees(schema, type_info(MODELS[kind]), schema, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_has_a_description_and_examples_that_are_valid(kind: Kind) -> None:
    """Whoever writes a declaration finds in the schema what each value is for and how one looks."""
    root = schema_for(kind)
    for path, written, target in places(root, root):
        assert written.get("description") or target.get("description"), f"{kind}{path}"
        for example in written.get("examples", target.get("examples", [])):
            validator = jsonschema.Draft202012Validator({**written, "$defs": root.get("$defs", {})})
            assert not list(validator.iter_errors(example)), f"{kind}{path}: {example}"
        if "properties" not in target:
            assert written.get("examples") or target.get("examples"), f"{kind}{path}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_bounded(kind: Kind) -> None:
    """Nothing in a declaration can be of any size: texts, lists, mappings and numbers all have bounds."""
    root = schema_for(kind)
    for path, _, target in places(root, root):
        types = target.get("type", [])
        for name in [types] if isinstance(types, str) else types:
            bounds = {"string": "maxLength", "array": "maxItems", "integer": "maximum", "number": "maximum"}
            if name == "object" and "properties" not in target:
                assert "maxProperties" in target, f"{kind}{path}"
                assert target["propertyNames"]["maxLength"] <= 128, f"{kind}{path}"
            elif name in bounds:
                assert bounds[name] in target, f"{kind}{path}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_refers_to_nothing_but_its_own_definitions_and_to_none_of_them_in_a_circle(kind: Kind) -> None:
    """No reference leaves the file, none leads back to where it came from, and the id is no address."""
    root = schema_for(kind)
    assert root["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert root["$id"] == f"urn:adx:v1:{kind}"
    text = msgspec.json.encode(root).decode()
    references = re.findall(r'"\$(?:ref|dynamicRef|recursiveRef)":"([^"]+)"', text)
    assert all(reference.startswith("#/$defs/") for reference in references)
    # Walking every place ends only when no definition contains itself.
    used = {written["$ref"] for _, written, _ in places(root, root) if "$ref" in written}
    assert used == {f"#/$defs/{name}" for name in root.get("$defs", {})}


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_valid_json_schemas(kind: Kind) -> None:
    """The schema is itself valid under draft 2020-12, and its patterns mean the same to the explaining validator."""
    jsonschema.Draft202012Validator.check_schema(schema_for(kind))
    assert all(re.compile(pattern) for pattern in patterns(kind))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_no_percentage(number: float) -> None:
    """NaN and the infinities are refused wherever a number is wanted."""
    flag = {"name": "a", "description": "d", "owner": "o", "type": "percentage", "percentage": number}
    document = {"apiVersion": "adx/v1", "kind": "Flags", "environment": "development", "flags": [flag]}
    assert not validator_for("flags").is_valid(document)


def test_a_message_never_repeats_the_value() -> None:
    """What is refused may be a secret in the wrong place, so messages say "the value"."""
    canary = "CANARY-7f3a"
    document = {"apiVersion": "adx/v1", "kind": "Flags", "environment": canary, "flags": canary, "extra": 1}
    messages = [error.message for error in validator_for("flags").iter_errors(document)]
    assert len(messages) == 3
    assert canary not in "".join(messages)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_text_does_not_lead_a_pattern_astray(kind: Kind) -> None:
    """Every pattern is in the linear-time dialect, and long text that nearly matches ends in the other matcher too."""
    for pattern in patterns(kind):
        decide = jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
        for text in ("a" * 100_000, "a-" * 50_000, "/a" * 50_000, "1" * 100_000, "a.a/" * 20_000, "A=" * 50_000):
            # No timing is asserted: exponential matching would never get here.
            assert decide.is_valid(text + "\x00") is False
            assert re.search(pattern, text + "\x00") is None


def test_every_kind_has_a_schema() -> None:
    """The kinds are those that the models know, no more and no fewer."""
    assert set(KINDS) == set(get_args(Kind)) == set(MODELS)
