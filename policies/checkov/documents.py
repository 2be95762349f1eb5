"""``policies/policies.yaml`` → its model, or everything that is wrong with it, each with its place.

Shape is checked here as the loader checks declarations; what the document says
about checks, environments and days is for :mod:`policies.checkov.policy_rules`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from policies.checkov.policy_rules import RuleFinding
from policies.checkov.spec import PoliciesSpec
from policies.document_problems import problem_of_refusal
from policies.errors import Problem
from policies.schema_explain import SchemaFinding, explained
from policies.secrets import credential_shape
from policies.yaml_places import Places, spell
from policies.yaml_reader import RefusedError, examine, read
from policies.yaml_text import visible

FILE = "policies/policies.yaml"
SCHEMA = Path(__file__).parent / "schema.json"


def read_policies(data: bytes) -> PoliciesSpec | None:
    """The model of the document ``data``; None when anything is wrong with its shape."""
    try:
        document = read(data)
    except RefusedError:
        return None
    if not _validator().is_valid(document):
        return None
    return msgspec.convert({key: document[key] for key in document.keys() - {"apiVersion", "kind"}}, PoliciesSpec)


def problems_of(data: bytes) -> list[Problem]:
    """Everything that is wrong with the shape of ``data``, in the order of lines."""
    examined = examine(data)
    if any(refusal.is_fatal for refusal in examined.refusals):
        return [problem_of_refusal(FILE, refusal) for refusal in examined.refusals]
    places = Places(data)
    found = [
        problem_of_refusal(FILE, refusal, places.path_at((refusal.line, refusal.column)))
        for refusal in examined.refusals
    ]
    said = {problem.line for problem in found}
    shape = (_of_finding(finding, places) for finding in explained(_validator(), _schema(), examined.document))
    found += [problem for problem in shape if problem.line not in said]
    return sorted(map(_harmless, found), key=lambda problem: (problem.line, problem.column, problem.what))


def problem_at(places: Places, found: RuleFinding) -> Problem:
    """What a rule found, at its place in a document that can be read."""
    line, column = places.of_key(found.path) if found.is_about_key else places.of(found.path)
    return _harmless(
        Problem(file=FILE, line=line, column=column, path=found.path, what=found.what, fix=found.fix, rule=found.rule)
    )


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_bytes())
    return schema


@cache
def _validator() -> jsonschema_rs.Validator:
    """As :func:`policies.schemas.validator_for`: linear patterns, no network, values masked."""
    return jsonschema_rs.Draft202012Validator(
        _schema(), pattern_options=jsonschema_rs.RegexOptions(), mask="the value", offline=True
    )


def _of_finding(finding: SchemaFinding, places: Places) -> Problem:
    path = spell(finding.steps)
    line, column = places.of_key(path) if finding.is_about_key else places.of(path)
    return Problem(file=FILE, line=line, column=column, path=path, what=finding.what, fix=finding.fix, rule="schema")


def _harmless(problem: Problem) -> Problem:
    """``problem`` without anything in it that looks like a credential."""
    texts = {name: _without_credential(getattr(problem, name)) for name in ("path", "what", "fix")}
    return msgspec.structs.replace(problem, **texts)


def _without_credential(text: str) -> str:
    kind = credential_shape(text)
    return visible(text) if kind is None else f"(not shown: it holds {kind})"
