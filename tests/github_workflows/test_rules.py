"""What every workflow keeps to: pins, permissions, time limits, who gets credentials, what may run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from scripts.toolchain.recipe import names
from tests.github_workflows.runner import ROOT, SET_UP, load, load_action

FILES = sorted((ROOT / ".github").rglob("*.yml"))
WORKFLOWS = ("deliver", "drift", "pull-request")
ACTIONS = ("connect-adx", "setup-adx")
PERMISSIONS: dict[str, dict[str, dict[str, str]]] = {
    "pull-request": {
        "validate": {"contents": "read"},
        "affected": {"contents": "read"},
        "policy": {"contents": "read", "statuses": "write"},
        "preview": {"contents": "read", "statuses": "write", "id-token": "write"},
        "comment": {"contents": "read", "pull-requests": "write"},
        "ready": {},
    },
    "deliver": {
        "deliver": {
            "contents": "read",
            "deployments": "write",
            "statuses": "write",
            "pull-requests": "read",
            "id-token": "write",
        }
    },
    "drift": {"drift": {"contents": "read", "statuses": "write", "id-token": "write"}},
}
# Jobs that see credentials of the platform. They have a GitHub environment, which guards them.
WITH_SECRETS = {("pull-request", "preview"), ("deliver", "deliver"), ("drift", "drift")}
# Jobs that write with the token, or hold credentials: what they run must have been merged.
RUN_THE_BASE = ("policy", "preview", "comment")
# Beside `adx`, and what a shell needs to hand values on, a step of a workflow runs nothing.
ALLOWED_LINES = (
    re.compile(r"adx (validate|affected|policy|preview|comment|deploy|drift) .+"),
    re.compile(r'environments="\$\(adx affected .+\)"'),
    re.compile(r'echo "environments=\$environments" >> "\$GITHUB_OUTPUT"'),
    re.compile(r'read -r -a environments <<< "\$ENVIRONMENTS"'),
    re.compile(r'echo "::error::[\w ,.:]+"'),
    re.compile(r"exit 1"),
)
ACTIONS_MAY_START = {
    *("python", "make", "mkdir", "find", "sort", "xargs", "sha256sum", "cut", "cat", "printf", "echo"),
    *("cd", "pwd", "umask", "read", "if", "then", "else", "fi"),
}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every job of every workflow."""
    for workflow in WORKFLOWS:
        for name, job in load(workflow)["jobs"].items():
            yield workflow, name, job


def steps() -> Iterator[dict[str, Any]]:
    """Every step of every workflow and action."""
    for _, _, job in jobs():
        yield from job["steps"]
    for action in ACTIONS:
        yield from load_action(action)["runs"]["steps"]


def triggers(workflow: str) -> dict[str, Any]:
    """The part `on:`, which YAML 1.1 reads as the key True."""
    document: dict[Any, Any] = load(workflow)
    found: dict[str, Any] = document[True]
    return found


def test_the_lists_here_name_every_file() -> None:
    """A new workflow or action must not escape these tests."""
    assert sorted(path.stem for path in (ROOT / ".github" / "workflows").iterdir()) == sorted(WORKFLOWS)
    assert sorted(path.name for path in (ROOT / ".github" / "actions").iterdir()) == sorted(ACTIONS)


def test_every_action_is_pinned_by_a_whole_hash_with_its_version_beside() -> None:
    """A tag can be moved to other code."""
    lines = [line.strip(" -") for path in FILES for line in path.read_text("utf-8").splitlines()]
    used = [line.removeprefix("uses: ") for line in lines if line.startswith("uses: ")]
    foreign = [line for line in used if not line.startswith("./")]

    assert len(foreign) >= 10
    assert [line for line in foreign if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_one_action_has_one_pin() -> None:
    """Otherwise a repaired version would be in use in one job and missing in another."""
    pins = {step["uses"].split("@")[0]: set[str]() for step in steps() if "@" in step.get("uses", "")}
    for step in steps():
        if "@" in step.get("uses", ""):
            action, pin = step["uses"].split("@")
            pins[action].add(pin)

    assert {action: found for action, found in pins.items() if len(found) != 1} == {}


def test_every_action_is_one_that_the_runner_of_these_tests_knows() -> None:
    """So that a new one is looked at before it is used."""
    used = {step["uses"].split("@")[0] for step in steps() if "uses" in step}

    assert used <= SET_UP | {"./.github/actions/connect-adx"}


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_grants_nothing_and_each_job_only_what_is_listed_here(workflow: str) -> None:
    """Whoever widens a permission has to say so twice."""
    document = load(workflow)

    assert document["permissions"] == {}
    assert {name: job["permissions"] for name, job in document["jobs"].items()} == PERMISSIONS[workflow]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_nothing_starts_with_credentials_on_foreign_code(workflow: str) -> None:
    """`pull_request_target` and `workflow_run` run with the secrets of the base, whatever a fork sent."""
    assert set(triggers(workflow)) <= {"pull_request", "merge_group", "push", "schedule", "workflow_dispatch"}


def test_every_job_has_a_time_limit_and_a_fixed_machine() -> None:
    """A job that hangs would cost six hours."""
    assert [name for _, name, job in jobs() if not 5 <= job["timeout-minutes"] <= 90] == []
    assert {job["runs-on"] for _, _, job in jobs()} == {"ubuntu-24.04"}


def test_following_ends_before_the_job_is_killed() -> None:
    """Otherwise the status of the delivery would stay pending for ever."""
    job = load("deliver")["jobs"]["deliver"]
    followed = re.search(r"--timeout-minutes (\d+)", job["steps"][-1]["run"])

    assert followed is not None
    assert int(followed[1]) + 10 <= job["timeout-minutes"]


def test_a_checkout_leaves_no_token_behind() -> None:
    """What runs later could push with it."""
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]

    assert len(checkouts) == 7
    assert {step["with"]["persist-credentials"] for step in checkouts} == {False}


def test_secrets_are_named_only_in_jobs_that_a_github_environment_guards() -> None:
    """Validation, which forks get, must hold none."""
    holding = {(workflow, name) for workflow, name, job in jobs() if "secrets." in yaml.safe_dump(job)}
    guarded = {(workflow, name) for workflow, name, job in jobs() if "environment" in job}

    assert holding == WITH_SECRETS
    assert guarded == WITH_SECRETS
    assert [path.name for path in FILES if "secrets: inherit" in path.read_text("utf-8")] == []


def test_secrets_reach_one_step_and_not_the_whole_job() -> None:
    """What sets up, uploads and downloads has no need of them."""
    assert [name for workflow in WORKFLOWS for name in load(workflow).get("env", {}) if "secret" in name.lower()] == []
    assert [name for _, name, job in jobs() if "secrets." in yaml.safe_dump(job.get("env", {}))] == []
    assert [name for name in ACTIONS if "secrets." in yaml.safe_dump(load_action(name)["runs"])] == []


@pytest.mark.parametrize("name", RUN_THE_BASE)
def test_a_job_that_may_write_runs_what_was_merged(name: str) -> None:
    """The proposal reaches it as git objects; an edited `setup-adx` of a pull request must not see a credential."""
    checkout = load("pull-request")["jobs"][name]["steps"][0]

    assert checkout["with"]["ref"] == "${{ env.BASE }}"
    assert checkout["with"]["fetch-depth"] == 0


def test_a_superseded_check_of_a_pull_request_ends_and_a_delivery_never_does() -> None:
    """A delivery that is no longer followed would be reported by nobody."""
    review, deliver, drift = (load(name)["concurrency"] for name in ("pull-request", "deliver", "drift"))

    assert review["cancel-in-progress"] is True
    assert "github.event.pull_request.number" in review["group"]
    assert deliver == {"group": "deliver-${{ github.sha }}", "cancel-in-progress": False}
    assert drift["cancel-in-progress"] is False


def test_no_expression_stands_inside_a_script() -> None:
    """A branch called `$(…)` would be run; through `env:` it is a value like any other."""
    assert [step["name"] for step in steps() if "${{" in step.get("run", "")] == []


def test_a_step_of_a_workflow_runs_adx_and_nothing_else() -> None:
    """What a workflow does can be done on a laptop with the same command."""
    lines = [
        line.strip()
        for _, _, job in jobs()
        for step in job["steps"]
        for line in step.get("run", "").strip().splitlines()
    ]

    assert len(lines) > 10
    assert [line for line in lines if not any(allowed.fullmatch(line) for allowed in ALLOWED_LINES)] == []


def test_a_step_of_an_action_starts_only_what_sets_up() -> None:
    """The first word of each line and of each part of a pipe."""
    scripts = [step["run"] for name in ACTIONS for step in load_action(name)["runs"]["steps"] if "run" in step]
    parts = [part for script in scripts for part in re.split(r"\n|\||&&|\$\(", script)]
    words = {part.split()[0].rstrip(')"') for part in parts if part.strip()}
    started = {word for word in words if not re.match(r"""\w+=|"\$bin/pip$""", word)}

    assert started - ACTIONS_MAY_START == set()


def test_programs_that_jobs_ask_for_can_be_built() -> None:
    """A misspelt name would be found on GitHub only."""
    asked = {name for step in steps() for name in step.get("with", {}).get("programs", "").split()}

    assert asked
    assert asked - {*names(), "checkov"} == set()


def test_what_imports_while_setting_up_never_imports_from_the_checkout() -> None:
    """Python puts the current folder first unless it is told otherwise."""
    scripts = [step.get("run", "") for step in load_action("setup-adx")["runs"]["steps"]]
    started = [line for script in scripts for line in script.splitlines() if re.search(r"\bpython -", line)]

    assert started
    assert [line for line in started if "python -P " not in line and "python -m venv" not in line] == []


def test_the_one_required_check_always_runs_and_needs_every_judgement() -> None:
    """GitHub takes a required check that was skipped for a passed one."""
    ready = load("pull-request")["jobs"]["ready"]

    assert ready["if"] == "always()"
    assert set(ready["needs"]) == {"validate", "affected", "policy", "preview"}


def test_dependabot_keeps_the_pins_and_waits_before_it_does() -> None:
    """Of every folder that holds one."""
    [update] = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))["updates"]

    assert update["package-ecosystem"] == "github-actions"
    assert update["directories"] == ["/", "/.github/actions/*"]
    assert update["cooldown"]["default-days"] >= 7
