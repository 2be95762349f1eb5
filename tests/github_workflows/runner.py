"""Runs a job of a workflow on this machine: every ``run:`` step with bash, exactly as it is written.

Steps that only set up (SET_UP) are skipped: the caller hands over a folder that
is checked out and an ``environ`` whose PATH holds ``adx``. Composite actions of
this repository are run. What the runner does not know is an error, not a pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.github_workflows.expressions import Status, as_text, filled, holds

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
# What a job leaves out here, and why that is the same: the folder, the tools and the artifacts are there already.
SET_UP = {
    "./.github/actions/setup-adx",
    "actions/cache",
    "actions/checkout",
    "actions/download-artifact",
    "actions/setup-python",
    "actions/upload-artifact",
    "aws-actions/configure-aws-credentials",
    "azure/login",
    "google-github-actions/auth",
}
_STEP_KEYS = {"name", "id", "if", "env", "run", "uses", "with", "shell"}
_STEP_TIMEOUT_SECONDS = 1800
Outcome = Literal["success", "failure", "skipped"]


class UnknownStep(Exception):
    """A step uses something that would not run here as it does on GitHub."""


@dataclass(frozen=True)
class Event:
    """What started the workflow; ``payload`` is GitHub's own."""

    name: str
    payload: Mapping[str, Any]
    sha: str
    ref: str = "refs/heads/main"
    repository: str = "boutique/platform"
    actor: str = "ana"


@dataclass(frozen=True)
class StepResult:
    """How one step ended."""

    name: str
    outcome: Outcome
    code: int = 0
    out: str = ""
    err: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobResult:
    """How a job ended; also what ``needs`` of another job wants."""

    conclusion: Outcome
    steps: tuple[StepResult, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)

    def step(self, name: str) -> StepResult:
        """The step called ``name``; KeyError when it has none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    @property
    def log(self) -> str:
        """All that was written, for the message of an assertion."""
        return "\n".join(f"── {step.name}: {step.outcome} {step.code}\n{step.out}{step.err}" for step in self.steps)


@dataclass
class _Scope:
    """What the steps of one job, or of one composite action, share."""

    contexts: dict[str, Any]
    environ: dict[str, str]
    folder: Path
    temp: Path
    shell: str | None
    results: list[StepResult] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def load(workflow: str) -> dict[str, Any]:
    """The workflow file called ``workflow`` (without ending)."""
    document: dict[str, Any] = yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text("utf-8"))
    return document


def load_action(name: str) -> dict[str, Any]:
    """The composite action called ``name``."""
    document: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "actions" / name / "action.yml").read_text("utf-8"))
    return document


def run_job(
    workflow: str,
    job: str,
    *,
    environ: Mapping[str, str],
    event: Event,
    folder: Path,
    matrix: Mapping[str, str] | None = None,
    needs: Mapping[str, JobResult] | None = None,
    inputs: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> JobResult:
    """Run ``job`` of ``workflow`` in ``folder``.

    ``environ`` is all that the steps see beside what GitHub sets: it needs a
    PATH with ``adx``. ``GITHUB_API_URL`` of it is kept. ``settings`` are the
    secrets and variables (``secrets.NAME``, ``vars.NAME``) and the token
    (GITHUB_TOKEN), which reach a step only where the workflow says so; without
    them they are looked up in ``environ``.
    """
    document = load(workflow)
    definition = document["jobs"][job]
    with tempfile.TemporaryDirectory(prefix="adx-job-") as temp:
        scope = _scope(
            document,
            definition,
            environ,
            event=event,
            folder=folder,
            temp=Path(temp),
            matrix=matrix,
            needs=needs,
            inputs=inputs,
            settings=environ if settings is None else settings,
        )
        needed = [result.conclusion for result in (needs or {}).values()]
        status: Status = "success" if all(result == "success" for result in needed) else "failure"
        if not holds(definition.get("if"), scope.contexts, status):
            return JobResult("skipped")
        conclusion = _run_steps(definition["steps"], scope)
        outputs = {name: filled(text, scope.contexts) for name, text in definition.get("outputs", {}).items()}
    return JobResult(conclusion, tuple(scope.results), outputs)


def run_action(
    name: str, *, environ: Mapping[str, str], folder: Path, temp: Path, action_path: Path, inputs: Mapping[str, str]
) -> JobResult:
    """Run the composite action ``name`` by itself, as if it lay at ``action_path``."""
    github = {"action_path": str(action_path)}
    runner = {"os": "Linux", "arch": "X64", "temp": str(temp)}
    contexts = {"github": github, "runner": runner, "env": {}, "steps": {}}
    scope = _Scope(contexts, {**environ, "RUNNER_TEMP": str(temp)}, folder, temp, None)
    conclusion, outputs = _run_action(name, inputs, scope)
    return JobResult(conclusion, tuple(scope.results), {**outputs, "PATH": os.pathsep.join(scope.paths)})


def _scope(
    document: Mapping[str, Any],
    definition: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    event: Event,
    folder: Path,
    temp: Path,
    matrix: Mapping[str, str] | None,
    needs: Mapping[str, JobResult] | None,
    inputs: Mapping[str, str] | None,
    settings: Mapping[str, str],
) -> _Scope:
    contexts: dict[str, Any] = {
        "github": _github(event, settings.get("GITHUB_TOKEN", "")),
        "inputs": dict(inputs or {}),
        "matrix": dict(matrix or {}),
        "needs": {
            name: {"result": result.conclusion, "outputs": dict(result.outputs)}
            for name, result in (needs or {}).items()
        },
        "runner": {"os": "Linux", "arch": "X64", "temp": str(temp)},
        "secrets": settings,
        "vars": settings,
        "steps": {},
        "env": {},
    }
    for layer in (document.get("env", {}), definition.get("env", {})):
        contexts["env"] = {**contexts["env"], **{name: filled(str(text), contexts) for name, text in layer.items()}}
    variables = {**_variables(event, folder, temp), **environ, **contexts["env"]}
    shell = document.get("defaults", {}).get("run", {}).get("shell")
    return _Scope(contexts, variables, folder, temp, shell)


def _github(event: Event, token: str) -> dict[str, Any]:
    return {
        "event_name": event.name,
        "event": event.payload,
        "sha": event.sha,
        "ref": event.ref,
        "repository": event.repository,
        "actor": event.actor,
        "token": token,
        "server_url": "https://github.com",
        "run_id": "1",
    }


def _variables(event: Event, folder: Path, temp: Path) -> dict[str, str]:
    """What GitHub sets in every step."""
    payload = temp / "event.json"
    payload.write_text(json.dumps(event.payload), "utf-8")
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": event.actor,
        "GITHUB_EVENT_NAME": event.name,
        "GITHUB_EVENT_PATH": str(payload),
        "GITHUB_REF": event.ref,
        "GITHUB_REPOSITORY": event.repository,
        "GITHUB_RUN_ID": "1",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_SHA": event.sha,
        "GITHUB_WORKSPACE": str(folder),
        "RUNNER_TEMP": str(temp),
    }


def _run_steps(steps: list[dict[str, Any]], scope: _Scope) -> Outcome:
    status: Status = "success"
    for step in steps:
        if unknown := step.keys() - _STEP_KEYS:
            raise UnknownStep(f"{step.get('name')}: {', '.join(sorted(unknown))}")
        result = _run_step(step, scope, status)
        scope.results.append(result)
        if "id" in step:
            scope.contexts["steps"][step["id"]] = {"outputs": dict(result.outputs), "outcome": result.outcome}
        if result.outcome == "failure":
            status = "failure"
    return "success" if status == "success" else "failure"


def _run_step(step: Mapping[str, Any], scope: _Scope, status: Status) -> StepResult:
    name = filled(step["name"], scope.contexts)
    if not holds(step.get("if"), scope.contexts, status):
        return StepResult(name, "skipped")
    if "run" in step:
        return _run_script(name, step, scope)
    action = step["uses"].split("@")[0]
    if action in SET_UP:
        return StepResult(name, "skipped")
    if not action.startswith("./"):
        raise UnknownStep(f"{name}: {action}")
    inputs = {key: filled(as_text(value), scope.contexts) for key, value in step.get("with", {}).items()}
    outcome, outputs = _run_action(Path(action).name, inputs, scope)
    return StepResult(name, outcome, outputs=outputs)


def _run_action(name: str, inputs: Mapping[str, str], scope: _Scope) -> tuple[Outcome, dict[str, str]]:
    """A composite action: steps of its own, which see its inputs and neither the secrets nor the job's other steps."""
    action = load_action(name)
    if unknown := inputs.keys() - action["inputs"].keys():
        raise UnknownStep(f"{name} has no input {', '.join(sorted(unknown))}")
    defaults = {key: as_text(value["default"]) for key, value in action["inputs"].items()}
    kept = {key: scope.contexts[key] for key in ("github", "runner", "env")}
    contexts = {**kept, "inputs": {**defaults, **inputs}, "steps": {}}
    inner = _Scope(contexts, scope.environ, scope.folder, scope.temp, None, scope.results, scope.paths)
    outcome = _run_steps(action["runs"]["steps"], inner)
    outputs = {key: filled(value["value"], contexts) for key, value in action.get("outputs", {}).items()}
    return outcome, outputs


def _run_script(name: str, step: Mapping[str, Any], scope: _Scope) -> StepResult:
    with tempfile.TemporaryDirectory(prefix="step-", dir=scope.temp) as place:
        files = {key: Path(place) / key for key in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV", "script")}
        for file in files.values():
            file.touch()
        files["script"].write_text(filled(step["run"], scope.contexts), "utf-8")
        own = {key: filled(as_text(text), scope.contexts) for key, text in step.get("env", {}).items()}
        commands = {key: str(file) for key, file in files.items() if key != "script"}
        search = os.pathsep.join([*reversed(scope.paths), scope.environ["PATH"]])
        # GitHub adds `pipefail` only where a shell is named.
        bash = (
            ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell", scope.shell) else ["bash", "-e"]
        )
        done = subprocess.run(
            [*bash, files["script"]],
            cwd=scope.folder,
            env={**scope.environ, "PATH": search, **own, **commands},
            capture_output=True,
            text=True,
            timeout=_STEP_TIMEOUT_SECONDS,
            check=False,
        )
        if files["GITHUB_ENV"].read_text("utf-8"):
            raise UnknownStep(f"{name} writes to GITHUB_ENV, which the workflows do without")
        scope.paths += files["GITHUB_PATH"].read_text("utf-8").splitlines()
        outputs = _outputs(files["GITHUB_OUTPUT"].read_text("utf-8"))
    outcome: Outcome = "success" if done.returncode == 0 else "failure"
    return StepResult(name, outcome, done.returncode, done.stdout, done.stderr, outputs)


def _outputs(text: str) -> dict[str, str]:
    """``name=value`` a line; the form for several lines is not used."""
    return dict(line.split("=", 1) for line in text.splitlines())
