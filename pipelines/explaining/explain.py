"""A tree of declarations and an address → the explanation. Reads the declarations and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from infra.render import render_unit
from pipelines.explaining.address import Address, UnknownDeclaration
from pipelines.explaining.consumers import consumers_of
from pipelines.explaining.judges import checks_for, rules_for
from pipelines.explaining.model import Explanation, ObjectRow, Place, UnitExplanation
from pipelines.explaining.parts import shown_value, steps_at, steps_to
from pipelines.explaining.subject import Subject, subject_of
from pipelines.problem_formats import Report
from pipelines.validate import source_lines
from policies.declarations import Declarations
from policies.desired_state import PLATFORM_UNIT, DesiredState, ServiceInputs, Unit, resolve
from policies.errors import DeclarationError
from policies.findings import environment_file, nearest, suggestion, tenant_file
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree
from policies.loader import load
from policies.tree import Tree
from policies.tree_layout import Declared, declaration_at, layout_of, shown_path
from policies.yaml_places import Places, Steps, spell
from policies.yaml_reader import read

_COMPONENT_LABEL = "app.kubernetes.io/component"


def open_tree(folder: Path, ref: str | None) -> Tree:
    """The files of ``folder`` as they are, or as ``ref`` has them; of a bare repository its HEAD. Raises AdxError."""
    is_bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return GitTree.open(folder, ref or "HEAD") if ref or is_bare else FolderTree(folder)


def explain(tree: Tree, address: Address, asked: str) -> Explanation:
    """What ``address`` is, what it becomes and who depends on it; nothing of the ledger.

    Raises UnknownDeclaration, and DeclarationError when anything in ``tree`` is
    wrong: what does not agree as a whole becomes nothing.
    """
    if address.file:
        _require_declared(tree, address.file)
    declarations = load(tree)
    return _Explainer(tree, declarations).explain(address, asked)


def broken(tree: Tree, folder: Path, address: Address, error: DeclarationError) -> Report:
    """The problems of the file that was asked about; all problems where that file has none."""
    own = tuple(problem for problem in error.problems if problem.file == address.file)
    problems = own or error.problems
    return Report(
        source=str(folder),
        commit=tree.commit,
        files=len(layout_of(tree.entries()).declared),
        problems=problems,
        source_lines=source_lines(tree, problems),
    )


def _require_declared(tree: Tree, file: str) -> None:
    """A file that is there under a wrong name is left to the loader, which says what its name should be."""
    if declaration_at(file) is not None and file in tree.entries():
        return
    layout = layout_of(tree.entries())
    if any(problem.file == shown_path(file) for problem in layout.problems):
        return
    match = _nearest(file, layout.declared)
    fix = f"write {match}" if match else "`adx validate` lists what is declared: environments/ and tenants/"
    raise UnknownDeclaration(f"{shown_path(file)} is no declaration here", next_step=fix)


def _nearest(file: str, declared: Iterable[Declared]) -> str | None:
    """The file that was most likely meant: by its whole path, by a tenant's name, by an environment's.

    Paths of tenants have so much in common that only their names are compared.
    """
    tenants = {one.name: one.path for one in declared if one.kind == "tenant"}
    environments = {one.name: one.path for one in declared if one.kind == "environment"}
    if file.startswith("environments/"):
        return nearest(file, [one.path for one in declared])
    match = nearest(Path(file).stem, tenants) or nearest(Path(file).stem, environments)
    return {**environments, **tenants}[match] if match is not None else None


class _Explainer:
    """One tree, read once; states and places of documents are worked out when they are needed."""

    def __init__(self, tree: Tree, declarations: Declarations) -> None:
        self._tree = tree
        self._declarations = declarations
        self._states: dict[str, DesiredState] = {}
        self._places: dict[str, Places] = {}

    def explain(self, address: Address, asked: str) -> Explanation:
        """The explanation of a place, or of a unit."""
        if address.unit:
            return self._of_unit(address, asked)
        declared = declaration_at(address.file)
        assert declared is not None  # noqa: S101 - the loader accepts no other files
        data = self._tree.read(address.file)
        steps = _steps(address, data)
        subject = subject_of(declared, steps, self._declarations)
        place = self._place(address.file, spell(steps))
        explanation = Explanation(
            asked=asked,
            commit=self._tree.commit,
            place=place,
            kind=declared.kind,
            title=subject.title,
            value=shown_value(read(data), steps),
            notes=subject.notes,
            rules=rules_for(declared.kind),
        )
        return self._with_units(explanation, subject)

    def _of_unit(self, address: Address, asked: str) -> Explanation:
        """A unit of one environment, or of every one that has it."""
        environments = self._declarations.environments
        if address.environment and address.environment not in environments:
            fix = suggestion(address.environment, environments, "name an environment that is declared")
            raise UnknownDeclaration(f"no environment {address.environment} is declared here", next_step=fix)
        chosen = [address.environment] if address.environment else sorted(environments)
        found = [name for name in chosen if address.unit in self._state(name).by_id()]
        if not found:
            known = {id_ for name in chosen for id_ in self._state(name).by_id()}
            fix = suggestion(address.unit, known, "name a unit that is declared")
            raise UnknownDeclaration(f"there is no {address.unit} in {', '.join(chosen)}", next_step=fix)
        declared, place = self._declared(found[0], address.unit)
        unit = self._state(found[0]).by_id()[address.unit]
        explanation = Explanation(
            asked=asked,
            commit=self._tree.commit,
            place=place,
            kind=declared.kind,
            title=_title(unit) or subject_of(declared, [], self._declarations).title,
            rules=rules_for(declared.kind),
        )
        return self._with_units(explanation, Subject(title="", units=tuple((name, address.unit) for name in found)))

    def _with_units(self, explanation: Explanation, subject: Subject) -> Explanation:
        units = tuple(self._unit(environment, unit, subject) for environment, unit in subject.units)
        # What one system renders alone are documents; the checks look at what runs, and at namespaces.
        checks = () if subject.system else checks_for(unit.unit for unit in units)
        return msgspec.structs.replace(explanation, units=units, checks=checks)

    def _unit(self, environment: str, id_: str, subject: Subject) -> UnitExplanation:
        unit = self._state(environment).by_id()[id_]
        return UnitExplanation(
            environment=environment,
            unit=id_,
            declared=self._declared(environment, id_)[1],
            owner=unit.inputs.service.owner if isinstance(unit.inputs, ServiceInputs) else unit.inputs.owner,
            digest=unit.digest,
            objects=objects_of(unit, subject.system),
            consumers=consumers_of(self._declarations, environment, id_, subject),
        )

    def _declared(self, environment: str, unit: str) -> tuple[Declared, Place]:
        """The document that declares the unit, and where in it."""
        kind, _, name = unit.partition("/")
        path = ""
        if kind == "tenant":
            file = tenant_file(name)
        elif unit == PLATFORM_UNIT:
            file = environment_file(environment, "environment")
        else:
            file = environment_file(environment, "services")
            names = [service.name for service in self._declarations.environments[environment].services.services]
            path = f"services[{names.index(name)}]"
        declared = declaration_at(file)
        assert declared is not None  # noqa: S101 - the loader accepts no other files
        return declared, self._place(file, path)

    def _place(self, file: str, path: str) -> Place:
        if not path:
            return Place(file=file)
        if file not in self._places:
            self._places[file] = Places(self._tree.read(file))
        return Place(file=file, path=path, line=self._places[file].of(path)[0])

    def _state(self, environment: str) -> DesiredState:
        if environment not in self._states:
            self._states[environment] = resolve(self._declarations, environment, self._tree.commit or "")
        return self._states[environment]


def objects_of(unit: Unit, system: str = "") -> tuple[ObjectRow, ...]:
    """The objects that the unit is rendered to, in the order of their creation; ``system`` keeps those of one."""
    return tuple(
        ObjectRow(
            kind=body["kind"], name=body["metadata"]["name"], namespace=str(body["metadata"].get("namespace") or "")
        )
        for body in render_unit(unit)
        if system in ("", body["metadata"]["labels"][_COMPONENT_LABEL])
    )


def _steps(address: Address, data: bytes) -> Steps:
    if address.line:
        return steps_at(address.file, data, address.line)
    return steps_to(address.file, read(data), address.path)


def _title(unit: Unit) -> str:
    """What a service says about itself; empty for a unit that a document of its own declares."""
    inputs = unit.inputs
    return f"{inputs.service.name}: {inputs.service.description}" if isinstance(inputs, ServiceInputs) else ""
