"""Where the text of a new repository's files comes from.

Workflows are ADX's own: the wheel carries ``.github`` of the repository that
it was built from (``[tool.hatch.build.targets.wheel.force-include]``); in a
checkout they are read where they are. Nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import infra
from policies.checkov.documents import SCHEMA as POLICIES_SCHEMA
from policies.schemas import KINDS, schema_path

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"


def workflows() -> dict[str, str]:
    """ADX's own workflows and actions, by their paths in ``.github/``."""
    packaged, checkout = _HERE / "github", _HERE.parents[1] / ".github"
    folder = packaged if packaged.is_dir() else checkout
    wanted = ("actions/*/action.yml", "workflows/*.yml", "dependabot.yml", "zizmor.yml")
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for one in wanted for path in folder.glob(one)}


def templates() -> Iterator[tuple[str, str]]:
    """Path and text of each template, as the new repository is laid out."""
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file():
            yield path.relative_to(TEMPLATES).as_posix(), path.read_text("utf-8")


def program() -> str:
    """The Pulumi program: the same few lines as in ADX's own repository."""
    return (Path(infra.__path__[0]) / "__main__.py").read_text("utf-8")


def schemas() -> dict[str, str]:
    """The JSON Schemas that editors check declarations with, by their paths in the new repository."""
    paths = {kind: schema_path(kind) for kind in KINDS} | {"policies": POLICIES_SCHEMA}
    return {f"schemas/{kind}.schema.json": path.read_text("utf-8") for kind, path in paths.items()}
