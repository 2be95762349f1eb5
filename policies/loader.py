"""A tree of files → typed declarations, or every problem in all of them at once.

Deciding and explaining are apart. Deciding reads each file once and stops
caring about it at the first fault; explaining reads the faulty files again and
finds everything, with lines and columns. What is valid, which is nearly
always everything, pays nothing for explanations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from policies import rules
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.document_problems import located, problems_of_document
from policies.errors import DeclarationError, Problem
from policies.findings import RepositoryRule
from policies.infrastructure.spec import EnvironmentSpec
from policies.migrations.model import ScriptSet
from policies.migrations.script_files import databases_of
from policies.models import MODELS
from policies.schemas import Kind, validator_for
from policies.spec import Spec
from policies.tree import Entry, Tree
from policies.tree_layout import REQUIRED_KINDS, Declared, declaration_at, layout_of, problem
from policies.yaml_reader import RefusedError, read
from policies.yaml_text import MAX_FILE_BYTES

_REPOSITORY_RULES = frozenset(rule.id for rule in rules.RULES if isinstance(rule, RepositoryRule))


def load(tree: Tree) -> Declarations:
    """All declarations of ``tree``. Raises DeclarationError with every problem, ordered by file and line."""
    layout = layout_of(tree.entries())
    specs = decide(tree, layout.declared)
    broken = [declared for declared in layout.declared if declared.path not in specs]
    databases, of_scripts = read_databases(tree, layout.scripts)
    is_whole = not broken and not layout.problems and not of_scripts
    found = assemble(layout.declared, specs, databases)
    problems = [*layout.problems, *explain(tree, broken), *of_scripts]
    problems += _rule_problems(tree, found, are_environments_whole=_are_environments_whole(layout.problems, broken))
    if problems:
        raise DeclarationError(ordered(p for p in problems if is_whole or p.rule not in _REPOSITORY_RULES))
    return found


def load_environment(tree: Tree, environment: str) -> EnvironmentSpec:
    """``environment.yaml`` of one environment and nothing else; its cross-document rules are not checked.

    Raises DeclarationError.
    """
    spec = load_documents(tree, [f"environments/{environment}/environment.yaml"])[0]
    if not isinstance(spec, EnvironmentSpec):  # the path decides the kind, the kind the model
        raise TypeError(f"{type(spec).__name__} came of environment.yaml")
    return spec


def load_documents(tree: Tree, paths: Sequence[str]) -> list[Spec]:
    """The documents at ``paths``, each checked for itself. Raises DeclarationError with all their problems."""
    declared = [_declared(path) for path in paths]
    missing = [one for one in declared if one.path not in tree.entries()]
    if missing:
        raise DeclarationError(
            tuple(problem(one.path, "there is no such file", "write it", "tree.missing-file") for one in missing)
        )
    specs = decide(tree, declared)
    problems = list(explain(tree, [one for one in declared if one.path not in specs]))
    if problems:
        raise DeclarationError(ordered(problems))
    return [specs[path] for path in paths]


def read_databases(tree: Tree, paths: Sequence[str]) -> tuple[dict[str, ScriptSet], list[Problem]]:
    """The scripts of every database in the files ``paths`` that nothing is wrong with, and everything that is wrong."""
    if not paths:
        return {}, []
    small = {path: None for path in paths if _is_small(tree.entries()[path])}
    what, fix = f"the file has more than {MAX_FILE_BYTES:,} bytes", "split it"
    large = [problem(path, what, fix, "text.size") for path in paths if path not in small]
    databases, problems = databases_of(dict(zip(small, tree.read_many(small), strict=True)))
    return databases, [*large, *problems]


def decide(tree: Tree, declared: Sequence[Declared]) -> dict[str, Spec]:
    """The specs of those documents that nothing is wrong with, by path."""
    entries = tree.entries()
    small = [one for one in declared if _is_small(entries[one.path])]
    specs: dict[str, Spec] = {}
    for one, data in zip(small, tree.read_many(one.path for one in small), strict=True):
        spec = spec_of(one.kind, data)
        if spec is not None:
            specs[one.path] = spec
    return specs


def spec_of(kind: Kind, data: bytes) -> Spec | None:
    """The spec in the document ``data``; None when anything is wrong with it."""
    try:
        document = read(data)
    except RefusedError:
        return None
    return convert(kind, document) if validator_for(kind).is_valid(document) else None


def convert(kind: Kind, document: dict[str, Any]) -> Spec | None:
    """The model of a document that its schema accepts; None when the model refuses it. Changes ``document``."""
    del document["apiVersion"], document["kind"]
    try:
        return msgspec.convert(document, MODELS[kind])
    except msgspec.ValidationError:
        return None


def explain(tree: Tree, broken: Sequence[Declared]) -> Iterator[Problem]:
    """Everything that is wrong with each document of ``broken``, found one by one."""
    entries = tree.entries()
    for one in broken:
        if not _is_small(entries[one.path]):
            yield from problems_of_document(one, None, size_bytes=entries[one.path].size_bytes)
    small = [one for one in broken if _is_small(entries[one.path])]
    for one, data in zip(small, tree.read_many(one.path for one in small), strict=True):
        yield from problems_of_document(one, data)


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """``problems`` by file and line, each once."""
    unique = dict.fromkeys((p.file, p.line, p.column, p.path, p.what, p.fix, p.rule) for p in problems)
    return tuple(
        Problem(file=file, line=line, column=column, path=path, what=what, fix=fix, rule=rule)
        for file, line, column, path, what, fix, rule in sorted(unique)
    )


def _is_small(entry: Entry) -> bool:
    return entry.size_bytes <= MAX_FILE_BYTES


def _declared(path: str) -> Declared:
    declared = declaration_at(path)
    if declared is None:
        raise DeclarationError((problem(path, "no declaration has this name", "ask for another", "tree.unknown-file"),))
    return declared


def assemble(
    declared: Iterable[Declared], specs: Mapping[str, Spec], databases: Mapping[str, ScriptSet] | None = None
) -> Declarations:
    """What is whole: environments with the documents they must have, tenants, and databases."""
    documents: dict[str, dict[str, Spec]] = {}
    tenants: dict[str, Any] = {}
    for one in declared:
        spec = specs.get(one.path)
        if spec is None:
            continue
        if one.kind == "tenant":
            tenants[one.name] = spec
        else:
            documents.setdefault(one.name, {})[one.kind] = spec
    environments = {
        name: _environment(found) for name, found in documents.items() if found.keys() >= set(REQUIRED_KINDS)
    }
    return Declarations(environments=environments, tenants=tenants, databases=dict(databases or {}))


def _environment(documents: Mapping[str, Any]) -> EnvironmentDeclarations:
    return EnvironmentDeclarations(**documents)


def _are_environments_whole(problems: Iterable[Problem], broken: Iterable[Declared]) -> bool:
    """Whether what is said about environments can be relied upon when tenants are judged."""
    return not any(found.file.startswith("environments") for found in problems) and all(
        one.kind == "tenant" for one in broken
    )


def _rule_problems(tree: Tree, found: Declarations, *, are_environments_whole: bool) -> list[Problem]:
    """What the rules find in what could be read; nothing is said that a broken file may have caused."""
    judged = found if are_environments_whole else msgspec.structs.replace(found, tenants={})
    return located(tree, rules.check(judged, _not_yet))


def _not_yet(_file: str, _path: str) -> tuple[int, int]:
    """Places are looked up for all findings together: one process instead of one a file."""
    return 0, 0
