"""The toolchain: external binaries that ADX drives, each pinned as a small Go module with its recipe.

``resolve`` gives a tool from PATH, from the user's cache or from a build with
Go; ``bin_folder`` gives one folder for PATH with all that Pulumi looks for
there; ``doctor`` says what is there. Nothing here knows what the tools are for.
"""

from __future__ import annotations

from pathlib import Path

from scripts.progress import reporter
from scripts.toolchain.doctor import Row, doctor, postgres_bin_folder
from scripts.toolchain.toolchain import PULUMI_TOOLS, Tool, Toolchain

__all__ = ["PULUMI_TOOLS", "Row", "Tool", "Toolchain", "bin_folder", "doctor", "postgres_bin_folder", "resolve"]


def resolve(name: str) -> Tool:
    """The tool ``name``, built with progress on standard error if need be; ToolchainError when it cannot be."""
    found = Toolchain().locate(name)
    if found is not None:
        return found
    with reporter() as chosen:
        return Toolchain(reporter=chosen).resolve(name)


def bin_folder() -> Path:
    """One folder with all binaries that Pulumi needs on PATH; built with progress if need be."""
    for name in PULUMI_TOOLS:
        resolve(name)
    return Toolchain().bin_folder()
