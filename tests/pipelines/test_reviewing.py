"""`adx affected`, `policy` and `preview` in real processes: what a reviewer reads when a branch cannot be previewed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.loading.repositories import Repository, base_files
from tests.pipelines.command import Ran, adx, environment

SERVICES = "environments/production/services.yaml"
FREEZE = b"""
freezes:
  - name: sale
    reason: A sale.
    from: "2026-11-27T00:00"
    until: "2026-11-30T00:00"
    time_zone: Europe/Berlin
"""
VERSION, RAISED = b"version: v1.2.0", b"version: v1.3.0"


class Proposal:
    """A base branch and a topic branch in one repository."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "repository.git")
        self.home = folder / "home"
        self.root = self.repository.commit(base_files())

    def branch(self, files: dict[str, bytes], *, name: str = "topic", after: tuple[str, ...] | None = None) -> str:
        """Commit ``files`` over the base's."""
        parents = (self.root,) if after is None else after
        return self.repository.commit({**base_files(), **files}, parents=parents, branch=name)

    def run(self, *arguments: str) -> Ran:
        """The command on this repository."""
        return adx(
            "--repo", str(self.repository.path), *arguments, environ=environment(self.home), folder=self.home.parent
        )


@pytest.fixture
def proposal(tmp_path: Path) -> Proposal:
    """Nothing proposed yet."""
    return Proposal(tmp_path)


def test_only_environments_that_change_are_affected(proposal: Proposal) -> None:
    """A matrix of jobs is made from it, so it is plain JSON."""
    files = base_files()
    proposal.branch({SERVICES: files[SERVICES].replace(VERSION, RAISED, 1)})

    done = proposal.run("affected", "--base", "main", "--head", "topic", "--json")

    assert (done.code, json.loads(done.out)) == (0, ["production"])


def test_a_change_of_the_rules_alone_affects_its_environment(proposal: Proposal) -> None:
    """It renders nothing, but decides who must agree and what proves a delivery."""
    path = "environments/production/environment.yaml"
    proposal.branch({path: base_files()[path] + FREEZE})

    done = proposal.run("affected", "--base", "main", "--head", "topic", "--json")

    assert (done.code, json.loads(done.out)) == (0, ["production"]), done.err


@pytest.mark.parametrize("command", ["affected", "policy", "preview"])
def test_a_branch_that_conflicts_is_refused_with_the_file_and_the_way_out(proposal: Proposal, command: str) -> None:
    """No traceback, and nothing half previewed."""
    files = base_files()
    proposal.branch({SERVICES: files[SERVICES].replace(VERSION, RAISED, 1)})
    proposal.branch({SERVICES: files[SERVICES].replace(VERSION, b"version: v9.9.9", 1)}, name="main")

    done = proposal.run(command, "--base", "main", "--head", "topic")

    assert done.code == 3
    assert SERVICES in done.err
    assert "settle the conflicts" in done.err
    assert "Traceback" not in done.err


def test_a_branch_of_another_repository_is_refused(proposal: Proposal) -> None:
    """Its history has nothing to do with the base."""
    proposal.branch({"tenants/extra.yaml": b"no: tenant\n"}, after=())

    done = proposal.run("affected", "--base", "main", "--head", "topic")

    assert done.code == 3
    assert "no commit in common" in done.err


def test_invalid_declarations_are_told_at_their_lines(proposal: Proposal) -> None:
    """The reviewer need not run another command to learn what is wrong."""
    proposal.branch({SERVICES: base_files()[SERVICES].replace(b"replicas: 2", b"replicas: two", 1)})

    done = proposal.run("preview", "--base", "main", "--head", "topic")

    assert done.code == 3
    assert f"{SERVICES}:" in done.err
    assert "whole number" in done.err


def test_an_unknown_environment_is_refused_with_the_nearest(proposal: Proposal) -> None:
    """A misspelt name must not look like an environment without changes."""
    done = proposal.run("preview", "--base", "main", "--head", "main", "--environment", "producton")

    assert done.code == 2
    assert "production" in done.err


def test_an_unknown_hosting_is_refused_before_anything_is_done(proposal: Proposal) -> None:
    """A typing error would otherwise leave required statuses pending."""
    done = proposal.run("policy", "--base", "main", "--head", "main", "--report-to", "gitlab")

    assert done.code == 2
    assert "github" in done.err
