"""Lets commands that run the engine find its programs, also where no `adx up` has written where they are."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.toolchain import PULUMI_TOOLS, Toolchain

VARIABLE = "ADX_TOOLCHAIN_PATH"


def with_toolchain(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` with the folder of Pulumi's programs, where they are built and nothing else names them.

    Builds nothing: a missing program is told by the engine, with what to do.
    """
    if environ.get(VARIABLE):
        return dict(environ)
    toolchain = Toolchain()
    if any(toolchain.locate(name) is None for name in PULUMI_TOOLS):
        return dict(environ)
    return {**environ, VARIABLE: str(toolchain.bin_folder())}
