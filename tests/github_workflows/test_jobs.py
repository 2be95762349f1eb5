"""Each job's steps, run here as they are written, with the real `adx`.

What a job does where everything answers is tested with the local stack and a
GitHub server in tests/delivery/test_workflow_jobs.py; here nothing answers,
which no job may take for a pass.
"""

from __future__ import annotations

import json
import re
from itertools import product

import pytest

from pipelines.exit_codes import ExitCode
from tests.github_workflows.conftest import PullRequest
from tests.github_workflows.runner import JobResult, run_job

PASSED = JobResult("success")
FAILED = JobResult("failure")
SKIPPED = JobResult("skipped")
SERVICES = "environments/staging/services.yaml"
HOSTILE_VALUES = ("$(touch pwned)", "`touch pwned`", "a; touch pwned", "'; touch pwned; '", "--help\ntouch pwned")


def found(environments: list[str]) -> JobResult:
    """The job that finds the affected environments, ended well."""
    return JobResult("success", outputs={"environments": json.dumps(environments)})


def version_raised(pull_request: PullRequest) -> PullRequest:
    """The pull request after the first service's version in staging was raised."""
    text = (pull_request.folder / SERVICES).read_text("utf-8")
    version = re.search(r"version: \S+", text)
    assert version is not None
    return pull_request.edit(SERVICES, version[0], "version: v0.10.9")


@pytest.mark.parametrize("is_fork", [False, True])
def test_valid_declarations_pass_also_from_a_fork(
    pull_request: PullRequest, environ: dict[str, str], is_fork: bool
) -> None:
    """A fork needs no credentials for that, and a hostile branch and title do no harm."""
    environ.pop("GITHUB_TOKEN")

    job = run_job(
        "pull-request",
        "validate",
        environ=environ,
        event=pull_request.event(is_fork=is_fork),
        folder=pull_request.folder,
    )

    assert job.conclusion == "success", job.log
    assert "all valid" in job.step("Validate every declaration").out
    assert pull_request.is_unharmed


def test_an_invalid_declaration_fails_with_an_annotation_at_its_line(
    pull_request: PullRequest, environ: dict[str, str]
) -> None:
    """In the pull request, beside the line, where the reviewer looks."""
    broken = pull_request.edit(SERVICES, "replicas: ", "replicaz: ")

    job = run_job("pull-request", "validate", environ=environ, event=broken.event(), folder=broken.folder)

    assert job.conclusion == "failure"
    step = job.step("Validate every declaration")
    assert step.code == 3
    assert re.search(rf"^::error file={SERVICES},.*line=\d+,", step.out, re.MULTILINE)


def test_what_is_validated_is_the_commit_and_not_what_lies_in_the_folder(
    pull_request: PullRequest, environ: dict[str, str]
) -> None:
    """Set-up may write into the checkout."""
    (pull_request.folder / SERVICES).write_text("broken: [", "utf-8")

    job = run_job("pull-request", "validate", environ=environ, event=pull_request.event(), folder=pull_request.folder)

    assert job.conclusion == "success", job.log


def test_the_matrix_is_what_the_change_touches(pull_request: PullRequest, environ: dict[str, str]) -> None:
    """As JSON that `fromJSON` takes."""
    raised = version_raised(pull_request)

    job = run_job("pull-request", "affected", environ=environ, event=raised.event(), folder=raised.folder)

    assert job.conclusion == "success", job.log
    assert json.loads(job.outputs["environments"]) == ["staging"]
    assert raised.is_unharmed


def test_a_change_that_touches_nothing_makes_an_empty_matrix(
    pull_request: PullRequest, environ: dict[str, str]
) -> None:
    """Exactly `[]`, which is what the other jobs compare with."""
    (pull_request.folder / "notes.txt").write_text("nothing declared", "utf-8")

    job = run_job("pull-request", "affected", environ=environ, event=pull_request.event(), folder=pull_request.folder)

    assert job.conclusion == "success", job.log
    assert job.outputs["environments"] == "[]"


def test_a_merge_queue_brings_its_own_base_and_head(pull_request: PullRequest, environ: dict[str, str]) -> None:
    """There is no pull request in its event."""
    raised = version_raised(pull_request)

    job = run_job("pull-request", "affected", environ=environ, event=raised.queued(), folder=raised.folder)

    assert json.loads(job.outputs["environments"]) == ["staging"], job.log


@pytest.mark.parametrize(("job", "needs"), [("policy", {}), ("preview", {}), ("comment", {"preview": PASSED})])
def test_a_fork_gets_no_job_that_writes_or_holds_credentials(
    pull_request: PullRequest, environ: dict[str, str], job: str, needs: dict[str, JobResult]
) -> None:
    """Even when everything before it went well."""
    before = {"validate": PASSED, "affected": found(["staging"]), **needs}
    event = pull_request.event(is_fork=True)

    result = run_job("pull-request", job, environ=environ, event=event, needs=before, folder=pull_request.folder)

    assert result == SKIPPED


def test_nothing_is_previewed_after_validation_failed(pull_request: PullRequest, environ: dict[str, str]) -> None:
    """What is not valid cannot be planned."""
    needs = {"validate": FAILED, "affected": found(["staging"])}

    for job in ("policy", "preview"):
        event = pull_request.event()
        assert (
            run_job("pull-request", job, environ=environ, event=event, needs=needs, folder=pull_request.folder)
            == SKIPPED
        )


@pytest.mark.parametrize("environment", ["staging", *HOSTILE_VALUES])
def test_a_preview_that_reaches_nothing_is_no_pass(
    pull_request: PullRequest, environ: dict[str, str], environment: str
) -> None:
    """No cluster, no ledger, no GitHub; and whatever the environment is called, it stays a value."""
    raised = version_raised(pull_request)
    needs = {"validate": PASSED, "affected": found([environment])}

    job = run_job(
        "pull-request",
        "preview",
        environ=environ,
        event=raised.event(),
        matrix={"environment": environment},
        needs=needs,
        folder=raised.folder,
    )

    assert job.conclusion == "failure"
    assert job.step("Lay secrets into private files").outcome == "success"
    preview = job.step("Preview what would change")
    assert preview.code in (ExitCode.FAILED, ExitCode.USAGE, ExitCode.UNREACHABLE), job.log
    assert environment == "staging" or environment.splitlines()[0] in preview.err
    assert raised.is_unharmed
    assert "canary-6f1d0b" not in job.log


@pytest.mark.parametrize(("preview", "runs"), [(PASSED, True), (FAILED, True), (SKIPPED, False)])
def test_a_comment_is_tried_whenever_there_are_reports(
    pull_request: PullRequest, environ: dict[str, str], preview: JobResult, runs: bool
) -> None:
    """Most of all when a preview is blocked. Without a report it fails instead of writing an empty comment."""
    job = run_job(
        "pull-request",
        "comment",
        environ=environ,
        event=pull_request.event(),
        needs={"affected": found(["staging"]), "preview": preview},
        folder=pull_request.folder,
    )

    assert job.conclusion == ("failure" if runs else "skipped")


@pytest.mark.parametrize("what", ["policy", "deliver", "drift"])
def test_a_job_that_reaches_nothing_fails_and_keeps_its_token(
    pull_request: PullRequest, environ: dict[str, str], what: str
) -> None:
    """Red, with a message; a job that could not look must not be green."""
    workflow = "pull-request" if what == "policy" else what
    raised = version_raised(pull_request)

    job = run_job(
        workflow, what, environ=environ, event=raised.event(), needs={"validate": PASSED}, folder=raised.folder
    )

    assert job.conclusion == "failure"
    (failed,) = [step for step in job.steps if step.outcome == "failure"]
    assert failed.code in (ExitCode.FAILED, ExitCode.UNREACHABLE), job.log
    assert failed.err
    assert "canary-6f1d0b" not in job.log
    assert raised.is_unharmed


@pytest.mark.parametrize("environments", HOSTILE_VALUES)
def test_environments_typed_into_the_drift_form_are_names_and_nothing_else(
    pull_request: PullRequest, environ: dict[str, str], environments: str
) -> None:
    """Neither run by the shell nor taken for an option."""
    job = run_job(
        "drift",
        "drift",
        environ=environ,
        event=pull_request.event(),
        inputs={"environments": environments},
        folder=pull_request.folder,
    )

    assert job.conclusion == "failure"
    assert "Usage:" not in job.steps[-1].out
    assert pull_request.is_unharmed


def judged(pull_request: PullRequest, environ: dict[str, str], **needs: JobResult) -> JobResult:
    """What the one required check says."""
    return run_job(
        "pull-request", "ready", environ=environ, event=pull_request.event(), needs=needs, folder=pull_request.folder
    )


@pytest.mark.parametrize(
    ("environments", "policy", "preview"),
    [(["staging"], PASSED, PASSED), ([], PASSED, SKIPPED), ([], SKIPPED, SKIPPED)],
)
def test_what_was_checked_whole_is_ready_to_merge(
    pull_request: PullRequest, environ: dict[str, str], environments: list[str], policy: JobResult, preview: JobResult
) -> None:
    """Also from a fork, when no environment is touched."""
    job = judged(pull_request, environ, validate=PASSED, affected=found(environments), policy=policy, preview=preview)

    assert job.conclusion == "success", job.log


def test_nothing_else_is_ready_to_merge(pull_request: PullRequest, environ: dict[str, str]) -> None:
    """All combinations with an affected environment: one that passes, and it is the one above."""
    outcomes = (PASSED, FAILED, SKIPPED)
    passing = [
        (validate.conclusion, policy.conclusion, preview.conclusion)
        for validate, policy, preview in product(outcomes, repeat=3)
        if judged(
            pull_request, environ, validate=validate, affected=found(["staging"]), policy=policy, preview=preview
        ).conclusion
        == "success"
    ]

    assert passing == [("success", "success", "success")]


@pytest.mark.parametrize(
    "needs",
    [
        {"validate": FAILED, "affected": found([]), "policy": SKIPPED, "preview": SKIPPED},
        {"validate": PASSED, "affected": FAILED, "policy": PASSED, "preview": SKIPPED},
        {"validate": PASSED, "affected": found([]), "policy": FAILED, "preview": SKIPPED},
    ],
)
def test_a_change_without_an_environment_is_judged_too(
    pull_request: PullRequest, environ: dict[str, str], needs: dict[str, JobResult]
) -> None:
    """Invalid, of unknown reach, or against the policies."""
    job = judged(pull_request, environ, **needs)

    assert job.conclusion == "failure"
    assert "::error::" in job.log
