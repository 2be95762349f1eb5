"""CODEOWNERS: a path that is gone is owned by nobody, and GitHub does not say so."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from tests.github_workflows.runner import ROOT

FILE = ROOT / ".github" / "CODEOWNERS"


def rules() -> Iterator[tuple[str, list[str]]]:
    """Each pattern with its owners."""
    for line in FILE.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, *owners = line.split()
            yield pattern, owners


def fits(pattern: str, path: str) -> bool:
    """Whether a rule of the forms used here covers ``path``: everything, a folder, or a file with `*` in it."""
    if pattern == "*":
        return True
    rooted = pattern.removeprefix("/")
    return path.startswith(rooted) if rooted.endswith("/") else fnmatch.fnmatchcase(path, rooted)


def owners_of(path: str) -> list[str]:
    """The last rule that fits decides."""
    return [owners for pattern, owners in rules() if fits(pattern, path)][-1]


def test_every_pattern_fits_something_that_exists() -> None:
    """A renamed environment or tenant takes its rule along."""
    gone = [pattern for pattern, _ in rules() if not list(ROOT.glob(pattern.strip("/")))]

    assert len(list(rules())) > 8
    assert gone == []


def test_every_rule_has_owners_in_githubs_form() -> None:
    """A rule without owners takes protection away."""
    owners = [owner for _, named in rules() for owner in named]

    assert [pattern for pattern, named in rules() if not named] == []
    assert [owner for owner in owners if not re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner)] == []


def test_production_is_owned_by_those_who_release_whatever_the_file() -> None:
    """No wider rule that comes later may take it from them."""
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "environments" / "production").glob("*.yaml")]

    assert len(files) >= 4
    assert {tuple(owners_of(path)) for path in files} == {("@boutique/release-managers",)}


def test_what_runs_with_credentials_is_owned_by_the_platform_team_alone() -> None:
    """Workflows, actions, and this file."""
    for path in (".github/workflows/deliver.yml", ".github/actions/setup-adx/action.yml", ".github/CODEOWNERS"):
        assert owners_of(path) == ["@boutique/team-platform"]
