"""The commands of a review, from options to an exit status: reading, gathering, recording, reporting."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

from pipelines.cli.invocation import Invocation
from pipelines.exit_codes import ExitCode
from pipelines.preview.changes import PullRequestChange, read
from pipelines.preview.gather import Gatherer, Previewed
from pipelines.preview.markdown import markdown as markdown_of
from pipelines.preview.merging import merged, read_report
from pipelines.preview.migrations.policy import with_migrations
from pipelines.preview.migrations.words import migrates_words
from pipelines.preview.policy import PolicyAnswer, PolicyQuestion, answer
from pipelines.preview.report import EnvironmentReport, Report, ToolVersion
from pipelines.preview.reverts import reverted
from pipelines.reporting import reporter_for
from pipelines.toolchain import with_toolchain
from policies.errors import AdxError
from scripts.toolchain import Toolchain
from workflows.ledger.models import Review

FULL_REPORT_CHARACTERS = 50_000_000


@dataclass(frozen=True)
class PreviewRequest:
    """The options of one preview; an empty ``base`` means what is delivered."""

    base: str
    head: str
    environments: tuple[str, ...] = ()
    file: Path | None = None
    is_recorded: bool = False
    pull_request: int | None = None
    report_to: str | None = None


async def run_preview(invocation: Invocation, request: PreviewRequest) -> Report:
    """The report on the merge of ``request.head``; written, recorded and reported as asked. Raises AdxError."""
    invocation.settings.fill(os.environ)
    change = read(invocation.settings.folder, request.base, request.head)
    names = change.chosen(request.environments)
    reporter = reporter_for(invocation, request.report_to, change.head)
    for name in names:
        reporter.started(f"preview/{name}")
    with reporter.failing_all(f"preview/{name}" for name in names):
        question = PolicyQuestion(change, tuple(names))
        # What logs into a cloud, and proxies, are no settings of ADX; a workflow sets what it does not know to nothing.
        around = {name: value for name, value in os.environ.items() if value}
        environ = with_toolchain({**around, **invocation.settings.values})
        gatherer = Gatherer(change, environ, invocation.output.say)
        previews, policies = await gatherer.preview(names, lambda: answer(question, invocation.output.say))
        refs = (request.base or "what is delivered", request.head)
        report = report_on(change, refs, [one.report for one in previews], policies, tools_of(policies.checkov_version))
        if request.is_recorded:
            await _record(invocation, change, previews, request.pull_request)
    if request.file is not None:
        request.file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    for environment in report.environments:
        reporter.ended(f"preview/{environment.environment}", environment.verdict == "ok", _sentence(environment))
    return report


def run_policy(
    invocation: Invocation, base: str, head: str, environments: Sequence[str], report_to: str | None
) -> ExitCode:
    """Check the policies alone and show the findings. Raises AdxError."""
    from pipelines.screens.policy import policy_screen

    change = read(invocation.settings.folder, base, head)
    reporter = reporter_for(invocation, report_to, change.head)
    reporter.started("policy")
    with reporter.failing_all(["policy"]):
        names = tuple(change.chosen(environments))
        found = with_migrations(answer(PolicyQuestion(change, names), invocation.output.say), change, names)
    invocation.output.result(found, policy_screen(found))
    reporter.ended("policy", not found.is_failing, found.sentence())
    return ExitCode.FAILED if found.is_failing else ExitCode.OK


def run_comment(
    invocation: Invocation, files: Sequence[Path], pull_request: int, markdown: Path | None, artifact_url: str
) -> None:
    """Join the reports in ``files`` and keep the pull request's comment. Raises AdxError."""
    from workflows.clients.hosting import open_hosting

    report = merged([_read(path) for path in files])
    if markdown is not None:
        markdown.write_text(markdown_of(report, limit=FULL_REPORT_CHARACTERS), "utf-8")
    hosting = open_hosting(invocation.settings.values)
    body = markdown_of(report, artifact_url=artifact_url)
    put = hosting.put_comment(pull_request, key="preview", body=body, head=report.head)
    if invocation.is_json:
        invocation.output.json(put)
    elif put.action == "superseded":
        invocation.output.say("not written: the pull request has got newer commits, whose own run will")
    else:
        invocation.output.say(f"{put.action}: {put.url}")


def report_on(
    change: PullRequestChange,
    refs: tuple[str, str],
    environments: Sequence[EnvironmentReport],
    policies: PolicyAnswer,
    tools: tuple[ToolVersion, ...],
) -> Report:
    """The whole report; ``refs`` are the names of base and head as people know them."""
    base_ref, head_ref = refs
    return Report(
        base=change.base,
        head=change.head,
        merged=change.merged.commit,
        base_ref=base_ref,
        head_ref=head_ref,
        environments=tuple(environments),
        policies_commit=policies.policies_commit,
        reverts=reverted(change),
        notes=(*change.notes, *policies.notes),
        tools=tools,
    )


def tools_of(checkov: str) -> tuple[ToolVersion, ...]:
    """What the preview was made with; what was not used is not named."""
    pulumi = Toolchain().locate("pulumi")
    found = [("adx", version("adx")), ("pulumi-kubernetes", version("pulumi-kubernetes"))]
    found += [("pulumi", pulumi.version)] if pulumi is not None else []
    found += [("checkov", checkov)] if checkov else []
    return tuple(ToolVersion(name=name, version=number) for name, number in sorted(found))


def _sentence(report: EnvironmentReport) -> str:
    """What a commit status says of one environment."""
    counts = Counter(row.action for row in report.resources)
    what = ", ".join(
        f"{counts[action]} {action}" for action in ("delete", "replace", "update", "create") if counts[action]
    )
    reason = {"blocked": "blocked: ", "unchecked": "could not be checked whole: ", "ok": ""}[report.verdict]
    digest = f"; plan {report.digest[:12]}" if report.digest else ""
    return f"{reason}{'; '.join((what or 'no object changes', *migrates_words([report])))}{digest}"


def _read(path: Path) -> Report:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AdxError(
            f"{path} cannot be read: {error.strerror}", next_step="name a file of `adx preview --output`"
        ) from error
    return read_report(data, str(path))


async def _record(
    invocation: Invocation, change: PullRequestChange, previews: Sequence[Previewed], pull_request: int | None
) -> None:
    """Keep each plan that was made whole; one that blocks must not be bound to."""
    from pipelines.cli.connections import ledger
    from workflows.ledger import reviews

    async with ledger(invocation.settings) as opened:
        await opened.migrate()
        for preview in previews:
            if preview.binding is None or preview.report.verdict != "ok":
                invocation.output.say(
                    f"{preview.report.environment}: not recorded, the preview is {preview.report.verdict}"
                )
                continue
            review = Review(
                environment=preview.report.environment,
                digest=preview.binding.digest,
                head=change.head,
                base=change.base,
                binding=msgspec.to_builtins(preview.binding),
                recorded_by=invocation.settings.actor,
                pull_request=pull_request,
            )
            await reviews.record(opened, review, source="cli")
