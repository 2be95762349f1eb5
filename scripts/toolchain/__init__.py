"""The toolchain: external programs that ADX drives, each pinned as a small Go module or a lock for pip.

``resolve`` gives a tool from PATH, from the user's cache or from a build with
Go; ``resolve_python`` one that lives in a Python environment of its own;
``bin_folder`` gives one folder for PATH with all that Pulumi looks for
there; ``doctor`` says what is there. Nothing here knows what the tools are for.
"""

from __future__ import annotations

from pathlib import Path

from scripts.progress import reporter
from scripts.toolchain.doctor import Row, doctor, postgres_bin_folder
from scripts.toolchain.python_tools import PYTHON_TOOLS, PythonTool, PythonTools
from scripts.toolchain.toolchain import PULUMI_TOOLS, Tool, Toolchain

__all__ = [
    "PULUMI_TOOLS",
    "PYTHON_TOOLS",
    "PythonTool",
    "PythonTools",
    "Row",
    "Tool",
    "Toolchain",
    "bin_folder",
    "doctor",
    "postgres_bin_folder",
    "resolve",
    "resolve_python",
]


def resolve(name: str) -> Tool:
    """The tool ``name``, built with progress on standard error if need be; ToolchainError when it cannot be."""
    found = Toolchain().locate(name)
    if found is not None:
        return found
    with reporter() as chosen:
        return Toolchain(reporter=chosen).resolve(name)


def resolve_python(name: str) -> PythonTool:
    """The Python tool ``name``, installed with progress on standard error if need be; ToolchainError if it cannot."""
    found = PythonTools().locate(name)
    if found is not None:
        return found
    with reporter() as chosen:
        return PythonTools(reporter=chosen).resolve(name)


def bin_folder() -> Path:
    """One folder with all binaries that Pulumi needs on PATH; built with progress if need be."""
    for name in PULUMI_TOOLS:
        resolve(name)
    return Toolchain().bin_folder()
