"""A promotion from start to end: read what was delivered, choose, edit, validate, ask the gates, propose.

Nothing is pushed before the resulting declarations are valid and the gates are
met or gone past with a reason, which is in the audit trail by then.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.promotion import delivered as reading
from pipelines.promotion.delivered import Delivered
from pipelines.promotion.edits import diff_of, edited
from pipelines.promotion.facts import facts_of
from pipelines.promotion.gates import gates_of
from pipelines.promotion.model import Promotion
from pipelines.promotion.rules import Moment, Wish, verdict, versions_of
from pipelines.promotion.text import COMMENT_KEY, body_of, branch_of, message_of, title_of
from policies.errors import AdxError
from policies.findings import environment_file, suggestion
from policies.git_mirror import Mirror
from policies.git_tree import GitTree
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load, load_environment
from workflows.clients.git import Proposal, commit_proposal, push_proposal
from workflows.clients.hosting import Hosting, PullRequest
from workflows.clients.hosting.settings import is_configured
from workflows.ledger import Ledger, audit
from workflows.ledger.models import AuditEntry


class ServiceNotPromotable(AdxError):
    """A service that was named is not in both environments."""

    exit_code = 6


@dataclass(frozen=True)
class Request:
    """What a person asked for. ``reason`` goes past gates that are not met; empty: stop at them."""

    wish: Wish
    requested_by: str
    reason: str = ""
    is_dry_run: bool = False


@dataclass(frozen=True)
class Promoter:
    """Promotes between environments of one repository. ``hosting`` None: the branch is left for a person."""

    ledger: Ledger
    mirror: Mirror
    hosting: Hosting | None

    async def promote(self, request: Request) -> Promotion:
        """What became of it. Raises DeclarationError and the errors of git, ledger and hosting."""
        base = await asyncio.to_thread(self.mirror.fetch)
        found, files = await self._found(request.wish, base)
        found = msgspec.structs.replace(found, requested_by=request.requested_by)
        if not found.changes:
            return found
        proposal = Proposal(
            base=base,
            branch=branch_of(found.source, found.target),
            files={path: text.encode("utf-8", "surrogateescape") for path, text in files.items()},
            message=message_of(found),
        )
        commit = await asyncio.to_thread(commit_proposal, self.mirror.path, proposal)
        # What nobody could deliver is never proposed.
        await asyncio.to_thread(load, GitTree(self.mirror.path, commit))
        found = msgspec.structs.replace(found, branch=proposal.branch, proposed=commit)
        if found.blocked_by:
            if not request.reason:
                return msgspec.structs.replace(found, status="gates-not-met")
            found = msgspec.structs.replace(found, forced=request.reason)
        if request.is_dry_run:
            return msgspec.structs.replace(found, status="not-proposed")
        await self._audit(found)
        return await asyncio.to_thread(self._propose, found, proposal, commit)

    async def _found(self, wish: Wish, base: str) -> tuple[Promotion, dict[str, str]]:
        """The promotion as far as it can be told without doing anything, and the files that it changes."""
        path, tree = self.mirror.path, GitTree(self.mirror.path, base)
        files = await asyncio.to_thread(reading.declared_in, tree, wish.target)
        rules = (await asyncio.to_thread(load_environment, tree, wish.target)).promotion
        source = await reading.delivered_to(self.ledger, path, wish.source)
        (target,) = reading.documents_at(tree, wish.target)
        _require_services(wish, source, target.services)
        chosen = await asyncio.to_thread(
            verdict,
            wish,
            source.documents,
            target,
            rules=rules,
            history=_History(path, source.commit, wish),
            unclear=source.unclear,
        )
        after = edited(wish.target, files, chosen.changes)
        before = {environment_file(wish.target, kind): text for kind, text in files.items()}
        units = sorted({change.unit for change in chosen.changes})
        facts = await facts_of(self.ledger, source, units, _declared_source(path, source), rules)
        promotion = Promotion(
            source=wish.source,
            target=wish.target,
            commit=source.commit,
            base=base,
            base_branch=self.mirror.branch,
            requested_by="",
            status="nothing-to-promote",
            changes=chosen.changes,
            kept=chosen.kept,
            versions=versions_of(chosen.changes, target),
            gates=gates_of(facts, rules),
            commits=reading.commits_of(path, [source.records[unit].commit for unit in units]),
            rollouts=tuple(dict.fromkeys(unit.delivered_by for unit in facts.units if unit.delivered_by)),
            diff=diff_of(before, after),
        )
        return promotion, after

    async def _audit(self, found: Promotion) -> None:
        """Before anything is pushed: a promotion past its gates is never without its entry."""
        detail = {
            "source": found.source,
            "branch": found.branch,
            "proposed": found.proposed,
            "versions": {one.service: one.after for one in found.versions},
            "not_met": [f"{gate.name}: {gate.said}" for gate in found.blocked_by],
            "reason": found.forced,
        }
        action = "promotion.forced" if found.forced else "promotion.proposed"
        told = hashlib.sha256(msgspec.json.encode([found.requested_by, detail], order="deterministic")).hexdigest()
        entry = AuditEntry(
            key=f"{action}:{found.target}:{told[:32]}",
            actor=audit.escape_name(found.requested_by),
            source="cli",
            action=action,
            environment=found.target,
            commit=found.commit,
            detail=detail,
        )
        await audit.append(self.ledger, entry)

    def _propose(self, found: Promotion, proposal: Proposal, commit: str) -> Promotion:
        before, now = push_proposal(self.mirror.path, proposal, commit)
        found = msgspec.structs.replace(found, proposed=now, is_new=not before)
        if self.hosting is None:
            return msgspec.structs.replace(found, status="branch-left")
        earlier = self._open_for(self.hosting, before, proposal.branch)
        body = body_of(found)
        pull = self.hosting.open_pull_request(
            head_branch=proposal.branch, base_branch=self.mirror.branch, title=title_of(found), body=body
        )
        is_new = pull.number not in {one.number for one in earlier}
        if not is_new:
            # Its text is of the day it was opened; how things stand now is told in one comment.
            self.hosting.put_comment(pull.number, key=COMMENT_KEY, body=body, head=pull.head)
        return msgspec.structs.replace(found, status="proposed", number=pull.number, url=pull.url, is_new=is_new)

    def _open_for(self, hosting: Hosting, head: str, branch: str) -> tuple[PullRequest, ...]:
        """Pull requests that are open from the branch as it was before."""
        found = hosting.pull_requests_of(head) if head else ()
        return tuple(one for one in found if one.head_ref == branch and not one.is_merged and not one.is_from_fork)


def hosting_of(values: Mapping[str, str]) -> Hosting | None:
    """The git hosting, None where no token is set. Raises HostingMisconfigured when something else is missing."""
    if not is_configured(values):
        return None
    from workflows.clients.hosting import open_hosting  # noqa: PLC0415 - PyGithub costs 0.2 s

    return open_hosting(values)


class _History:
    """Both environments in the past: read as far back as somebody asks, and each commit once."""

    def __init__(self, path: Path, commit: str, wish: Wish) -> None:
        self._known: list[Moment] = []
        self._moments = reading.moments(path, commit, wish.source, wish.target)

    def __call__(self) -> Iterator[Moment]:
        yield from self._known
        for moment in self._moments:
            self._known.append(moment)
            yield moment


def _declared_source(path: Path, source: Delivered) -> EnvironmentSpec:
    """The source's environment.yaml as it was delivered."""
    return load_environment(GitTree(path, source.commit), source.environment.name)


def _require_services(wish: Wish, source: Delivered, target: Mapping[str, object]) -> None:
    """Raise ServiceNotPromotable for a named service that one of the environments does not have."""
    for name in sorted(wish.services):
        for where, known in ((wish.source, source.documents.services), (wish.target, target)):
            if name not in known and f"service/{name}" not in source.unclear:
                both = source.documents.services.keys() & target.keys()
                raise ServiceNotPromotable(
                    f"{where} has no service {name}",
                    next_step=suggestion(name, both, "add it there by hand: its replicas are a person's decision"),
                )
