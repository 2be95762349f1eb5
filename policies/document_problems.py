"""Everything wrong with one document, as problems with lines and columns. Slow on purpose: asked only on failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from policies.errors import Problem
from policies.models import MODELS
from policies.schema_explain import SchemaFinding, findings
from policies.schemas import validator_for
from policies.secrets import credential_shape
from policies.tree import Tree
from policies.tree_layout import Declared, problem
from policies.yaml_places import Places, spell
from policies.yaml_reader import Examined, examine, too_large
from policies.yaml_text import Refusal, visible

_QUOTED = re.compile(r"'[^']*'")


def problems_of_document(declared: Declared, data: bytes | None, size_bytes: int = 0) -> Iterator[Problem]:
    """What is wrong with ``data``, declared by its path as ``declared``; None when it was too large to be read."""
    if data is None:
        yield problem_of_refusal(declared.path, too_large(size_bytes))
        return
    for found in _problems(declared, data):
        yield msgspec.structs.replace(
            found, path=_harmless(found.path), what=_harmless(found.what), fix=_harmless(found.fix)
        )


def _problems(declared: Declared, data: bytes) -> Iterator[Problem]:
    examined = examine(data)
    if any(refusal.is_fatal for refusal in examined.refusals):
        for refusal in examined.refusals:
            yield problem_of_refusal(declared.path, refusal)
        return
    places = Places(data)
    for refusal in examined.refusals:
        yield problem_of_refusal(declared.path, refusal, places.path_at((refusal.line, refusal.column)))
    yield from _of_shape(declared, places, examined)


def _harmless(text: str) -> str:
    """``text``, which may name keys of the document, unless that shows a credential."""
    kind = credential_shape(text)
    return visible(text) if kind is None else f"(not shown: it holds {kind})"


def located(tree: Tree, problems: Iterable[Problem]) -> list[Problem]:
    """``problems`` of readable documents, each given the line and column that its path has."""
    by_file = [(file, list(group)) for file, group in groupby(problems, key=lambda found: found.file)]
    known = [(file, group) for file, group in by_file if file in tree.entries()]
    result = [found for file, group in by_file if file not in tree.entries() for found in group]
    for (_, group), data in zip(known, tree.read_many(file for file, _ in known), strict=True):
        places = Places(data)
        for found in group:
            line, column = places.of(found.path)
            result.append(msgspec.structs.replace(found, line=line, column=column))
    return result


def _of_shape(declared: Declared, places: Places, examined: Examined) -> Iterator[Problem]:
    """What schema and model find, apart from lines of which something is said already."""
    said = {refusal.line for refusal in examined.refusals}
    for finding in findings(declared.kind, examined.document):
        found = _of_finding(declared.path, finding, places)
        if found.line not in said:
            yield found
    if not said and validator_for(declared.kind).is_valid(examined.document):
        yield from _of_model(declared, examined.document)


def _of_finding(file: str, finding: SchemaFinding, places: Places) -> Problem:
    path = spell(finding.steps)
    line, column = places.of_key(path) if finding.is_about_key else places.of(path)
    return Problem(file=file, line=line, column=column, path=path, what=finding.what, fix=finding.fix, rule="schema")


def _of_model(declared: Declared, document: dict[str, Any]) -> Iterator[Problem]:
    """The model refuses what the schema accepts: a defect of ADX, said as such."""
    fields = {key: value for key, value in document.items() if key not in {"apiVersion", "kind"}}
    try:
        msgspec.convert(fields, MODELS[declared.kind])
    except msgspec.ValidationError as error:
        what = f"the schema accepts this, the model does not: {_QUOTED.sub('the value', str(error))}"
        yield problem(declared.path, what, "report this as a defect of ADX", "schema.model")


def problem_of_refusal(file: str, refusal: Refusal, path: str = "") -> Problem:
    """What the reader refuses in ``file``, as a problem of it."""
    return Problem(
        file=file,
        line=refusal.line,
        column=refusal.column,
        path=path,
        what=refusal.what,
        fix=refusal.fix,
        rule=refusal.rule,
    )
