"""Scripts for tests, as the folder of a database holds them."""

from __future__ import annotations

from collections.abc import Mapping

from policies.errors import Problem
from policies.migrations.model import ScriptSet
from policies.migrations.script_files import checksums, script_set
from policies.migrations.spec import Engine
from policies.migrations.sums import FILE, render

Files = dict[str, bytes]


def folder(engine: Engine, scripts: Mapping[str, str | bytes]) -> Files:
    """The files of a database's folder: ``scripts`` by name, and the adx.sum that goes with them."""
    files = {name: text if isinstance(text, bytes) else text.encode() for name, text in scripts.items()}
    return {**files, FILE: render(engine, checksums(files)).encode()}


def wrong_with(files: Mapping[str, bytes]) -> list[Problem]:
    """What is wrong with the folder; some problem there must be."""
    found, problems = script_set("shop", files)
    assert found is None
    assert problems
    return problems


def scripts_of(engine: Engine, *pairs: tuple[str, str | None], database: str = "shop") -> ScriptSet:
    """Versions 1, 2, … from pairs of up and down text; a pair without down is irreversible."""
    files: dict[str, str] = {}
    for version, (up, down) in enumerate(pairs, start=1):
        name = f"{version:04d}_step_{version}"
        files[f"{name}.up.sql"] = up if down is not None else f"-- adx: irreversible=nothing can bring it back\n{up}"
        if down is not None:
            files[f"{name}.down.sql"] = down
    found, problems = script_set(database, folder(engine, files))
    assert found is not None, problems
    return found
