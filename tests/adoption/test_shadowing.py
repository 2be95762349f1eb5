"""A repository holds folders that are called as ADX's packages are; it must never take their place."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipelines.settings import load
from pipelines.stack_parts import parts
from scripts.stack import Context

NOTHING = cast(Context, SimpleNamespace(port=lambda *_: 1, settings=dict))


@pytest.mark.parametrize("position", [0, 1], ids=["worker", "webhook"])
def test_a_part_of_the_stack_imports_what_is_installed(tmp_path: Path, position: int) -> None:
    """Given packages of ADX's names in the folder that it is started in, then none of them is imported."""
    for name in ("infra", "pipelines", "policies", "scripts", "workflows"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise SystemExit("imported from the repository")\n')
    part: Any = parts(load({}, working_folder=tmp_path))[position]
    argv = part.command(NOTHING).argv
    module = argv.index("pipelines.cli")

    ran = subprocess.run([*argv[: module + 2], "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage: " in ran.stdout
