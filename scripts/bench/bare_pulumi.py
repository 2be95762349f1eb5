"""The baseline: what a person would type, ``pulumi`` with its own defaults and the same program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.engine import EngineSettings
from infra.engine.workspace import prepare
from policies.desired_state import DesiredState


class BarePulumi:
    """One stack, called like its environment, in a backend of its own below ``folder``."""

    def __init__(self, settings: EngineSettings, environ: Mapping[str, str], folder: Path, environment: str) -> None:
        self._environment = environment
        self._folder = prepare(settings, environment).folder
        self._inputs = folder / "bare-inputs.json"
        (folder / "bare-backend").mkdir()
        self._environ = dict(environ) | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), settings.tool_path]),
            "PULUMI_HOME": str(folder / "bare-home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'bare-backend'}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "ADX_STACK_INPUTS": str(self._inputs),
        }
        self._run("stack", "init", environment)

    def timed(self, state: DesiredState, *arguments: str) -> float:
        """Seconds that ``pulumi arguments`` takes with ``state`` as its input."""
        self._inputs.write_bytes(msgspec.json.encode(state))
        begun = time.perf_counter()
        self._run(*arguments, "--stack", self._environment)
        return time.perf_counter() - begun

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self._folder,
            env=self._environ,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"pulumi {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
