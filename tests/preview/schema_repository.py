"""A repository whose production has a database, for tests that read it from git objects. It has no work tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import yaml

from pipelines.preview.changes import PullRequestChange, read
from pipelines.preview.migrations.facts import Question
from policies.migrations.waivers import FILE as WAIVERS
from tests.loading.repositories import Repository, base_files
from tests.migrations.scripts import folder

ENVIRONMENT = "production"
DECLARED = f"environments/{ENVIRONMENT}/migrations.yaml"
TODAY = date(1970, 6, 1)  # commits of these repositories are of 1970-01-01
Pairs = Sequence[tuple[str, str]]


def declared(version: int, pairs: Pairs, *, server: str | None = "shop-eu") -> dict[str, bytes]:
    """The files of a repository whose production has ``version`` of the database shop."""
    target = {"name": "shop", "engine": "postgresql", "version": version} | ({"server": server} if server else {})
    document = {"apiVersion": "adx/v1", "kind": "Migrations", "environment": ENVIRONMENT, "databases": [target]}
    texts = {
        f"{number:04d}_step_{number}.{direction}.sql": text
        for number, pair in enumerate(pairs, start=1)
        for direction, text in zip(("up", "down"), pair, strict=True)
    }
    scripts = {f"infra/databases/shop/{name}": data for name, data in folder("postgresql", texts).items()}
    return {**base_files(), DECLARED: yaml.safe_dump(document).encode(), **scripts}


def waived(check: str, file: str, *, expires: str = "1970-06-30") -> dict[str, bytes]:
    """The file of waivers with one in it."""
    waiver = {"check": check, "script": file, "owner": "ada", "reason": "closed meanwhile", "expires": expires}
    document = {"apiVersion": "adx/v1", "kind": "MigrationWaivers", "waivers": [waiver]}
    return {WAIVERS: yaml.safe_dump(document).encode()}


def proposed(folder_: Path, base: Mapping[str, bytes], topic: Mapping[str, bytes]) -> PullRequestChange:
    """The pull request of ``topic`` into a base that holds ``base``."""
    repository = Repository(folder_ / "repository.git")
    root = repository.commit(base)
    repository.commit(topic, parents=(root,), branch="topic")
    return read(repository.path, "main", "topic")


def question(change: PullRequestChange, environ: Mapping[str, str]) -> Question:
    """What becomes of production's databases, where nobody knows more than the base; soon after the first commit."""
    found = change.of(ENVIRONMENT)
    assert found.after is not None
    return Question(change, ENVIRONMENT, found.base, found.after, environ, TODAY)
