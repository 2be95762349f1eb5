"""The guide's examples are what they seem to be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.configuration.flags.test_command import PROGRAM, environ
from tests.support.declared import BASE, edited, problems_of

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "flags.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def test_the_example_of_flags_is_valid():
    """In a repository whose services read one of them; both other flags of the base are kept."""
    (document,) = [
        found for found in map(yaml.safe_load, blocks("yaml")) if isinstance(found, dict) and "kind" in found
    ]
    flags = "environments/development/flags.yaml"

    assert problems_of(edited({flags: {"flags[0]": document["flags"][0], "flags[2]": document["flags"][1]}})) == []


def test_the_explanation_is_what_the_command_prints(tmp_path: Path):
    """For the example above it, with the options that the guide gives, eighty columns wide."""
    shutil.copytree(BASE, tmp_path / "repository")
    (example,) = [found for found in blocks("yaml") if found.startswith("apiVersion")]
    (tmp_path / "repository" / "environments" / "development" / "flags.yaml").write_text(example)
    (line,) = [line for line in GUIDE.splitlines() if line.startswith("adx flags explain checkout-layout")]
    command = [*PROGRAM, *line.split()[1:], "--repo", str(tmp_path / "repository")]
    done = subprocess.run(command, capture_output=True, text=True, env=environ(tmp_path), check=False)

    printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert printed.strip() == blocks("")[0].strip(), done.stderr


def test_the_program_of_the_guide_runs(tmp_path: Path):
    """As a service would start it."""
    (tmp_path / "flags.json").write_text(json.dumps({"express-checkout": {"type": "boolean", "enabled": True}}))
    (program,) = blocks("python")
    own = {**environ(tmp_path), "ADX_FLAGS_FILE": str(tmp_path / "flags.json")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=own, check=False)

    assert (done.returncode, done.stdout) == (0, "one page\n"), done.stderr
