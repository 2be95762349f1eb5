"""docs/architecture.svg is drawn from the code's own imports, and is what they are today."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from scripts.architecture.__main__ import ROOT, TARGET
from scripts.architecture.drawing import drawing
from scripts.architecture.imports import ABOVE, BELOW, Part, count_imports
from scripts.architecture.layers import arrows_between, rows_of


def test_the_drawing_is_what_the_imports_are() -> None:
    """Otherwise run ``python -m scripts.architecture``."""
    imports = count_imports(ROOT)

    assert drawing(imports) == TARGET.read_text("utf-8")
    # import-linter checks the same with all its detail; this is what the drawing says.
    order = ("pipelines", "workflows", "infra", "policies")
    between = imports.between_packages()
    assert [pair for pair in between if set(pair) <= set(order) and order.index(pair[0]) > order.index(pair[1])] == []


def test_the_drawing_is_whole_and_loads_nothing() -> None:
    """It is XML, names every package, and nothing in it comes from elsewhere."""
    picture = ElementTree.parse(TARGET)
    texts = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}

    assert {"pipelines/", "workflows/", "infra/", "policies/", "scripts/", "rollout", "ledger"} <= texts
    assert "href" not in TARGET.read_text("utf-8")


def test_a_module_counts_once_and_by_its_folder(tmp_path: Path) -> None:
    """Given imports of all forms, those between parts count, once for each module that is imported."""
    write(tmp_path, "workflows/__init__.py", "")
    write(tmp_path, "workflows/errors.py", "")
    write(tmp_path, "workflows/worker.py", "from workflows.fleet import machine, calls\nimport json\n")
    write(tmp_path, "workflows/fleet/__init__.py", "")
    write(tmp_path, "workflows/fleet/calls.py", "from workflows.fleet.machine import a\nfrom workflows import errors\n")
    write(tmp_path, "workflows/fleet/machine.py", "def a():\n    from workflows.errors import A, B\n")
    fleet, above, below = (Part("workflows", name) for name in ("fleet", ABOVE, BELOW))

    found = count_imports(tmp_path)

    assert found.between == {(above, fleet): 2, (fleet, below): 2}
    assert found.modules == {above: ["worker"], below: ["errors"]}


def test_who_imports_more_stands_above() -> None:
    """Given two that import each other, the arrow of the fewer imports goes up; what is rare is not drawn."""
    rollout, fleet, ledger = folders = [Part("workflows", name) for name in ("rollout", "fleet", "ledger")]
    between = Counter({(fleet, rollout): 5, (rollout, fleet): 9, (fleet, ledger): 30, (rollout, ledger): 4})

    arrows = arrows_between(folders, between)

    assert {(one.source.name, one.target.name, one.is_upward) for one in arrows} == {
        ("fleet", "rollout", True),
        ("rollout", "fleet", False),
        ("fleet", "ledger", False),
    }
    assert rows_of(folders, arrows, widest=5) == [[rollout], [fleet], [ledger]]


def write(root: Path, path: str, text: str) -> None:
    """One module."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
