"""Which flags should go, and since when they have been what they are."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pipelines.flags.declared import declared_flags, unchanged_since
from policies.configuration.flags.spec import FlagSpec
from policies.configuration.flags.staleness import stale

NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
SERVICES: dict[str, Any] = {"apiVersion": "adx/v1", "kind": "Services", "environment": "staging", "services": []}


def flag(name: str, **fields: Any) -> FlagSpec:
    """A Boolean flag that is on."""
    base = {"name": name, "description": "d", "owner": "team-a", "type": "boolean", "enabled": True}
    return msgspec.convert(base | fields, FlagSpec)


def reasons(*flags: FlagSpec, changed_days_ago: int = 1, fixed_days: int = 30) -> dict[str, list[str]]:
    """Why each flag is stale, by name."""
    changed = {one.name: NOW - timedelta(days=changed_days_ago) for one in flags}
    found: dict[str, list[str]] = {}
    for one in stale(flags, changed, {}, now=NOW, fixed_days=fixed_days):
        found.setdefault(one.flag, []).append(one.why)
    return found


def test_a_flag_is_stale_when_its_lifetime_is_over():
    """Ninety days from 1 July end on 29 September, twenty ended."""
    long, short = ({"created": "2026-07-01", "days": days} for days in (90, 20))

    assert reasons(flag("long", lifetime=long), flag("short", lifetime=short)) == {"short": ["past-lifetime"]}


def test_a_flag_is_stale_when_everybody_has_had_the_same_for_long():
    """On, off, nobody and everybody; not a share, and nothing that is declared to stay."""
    flags = [
        flag("on"),
        flag("off", enabled=False),
        flag("nobody", type="percentage", enabled=None, percentage=0),
        flag("everybody", type="percentage", enabled=None, percentage=100),
        flag("share", type="percentage", enabled=None, percentage=99.9),
        flag("switch", lifetime={"permanent": True}),
        flag("rules", type="rules", enabled=None, rules=[{"name": "all", "variant": "on"}]),
    ]

    assert reasons(*flags, changed_days_ago=29) == {}
    assert set(reasons(*flags, changed_days_ago=30)) == {"on", "off", "nobody", "everybody", "rules"}


def test_a_flag_whose_schedule_is_over_is_stale():
    """From that day on everybody gets the default."""
    ended, running = ({"until": f"2026-{month}-01T00:00", "time_zone": "UTC"} for month in ("09", "11"))

    assert reasons(flag("ended", schedule=ended), flag("running", schedule=running)) == {"ended": ["over"]}


def new_repository(folder: Path) -> None:
    """An empty git repository."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


def commit(repository: Path, at: str, *flags: dict[str, Any]) -> None:
    """Write and commit the flags of staging."""
    document = {"apiVersion": "adx/v1", "kind": "Flags", "environment": "staging", "flags": list(flags)}
    folder = repository / "environments" / "staging"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flags.yaml").write_text(yaml.safe_dump(document))
    (folder / "services.yaml").write_text(yaml.safe_dump(SERVICES))
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    environ = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for arguments in (("add", "-A"), (*who, "commit", "-qm", "change", "--allow-empty")):
        subprocess.run(["git", "-C", str(repository), *arguments], check=True, env=environ)


def test_git_tells_since_when_a_flag_is_what_it_is(tmp_path: Path):
    """What only describes a flag is no change; a flag that was away begins again."""
    new_repository(tmp_path)
    one = {"name": "one", "description": "d", "owner": "o", "type": "percentage", "percentage": 10}
    two = {"name": "two", "description": "d", "owner": "o", "type": "boolean", "enabled": True}
    commit(tmp_path, "2026-01-01T00:00:00Z", one, two)
    commit(tmp_path, "2026-02-01T00:00:00Z", {**one, "percentage": 20})
    commit(tmp_path, "2026-03-01T00:00:00Z", {**one, "percentage": 20, "description": "better"}, two)
    commit(tmp_path, "2026-04-01T00:00:00Z", {**one, "percentage": 20, "owner": "team-b"}, two)

    since = unchanged_since(tmp_path, declared_flags(tmp_path, "staging", "HEAD"))
    assert {name: f"{at:%Y-%m-%d}" for name, at in since.items()} == {"one": "2026-02-01", "two": "2026-03-01"}


def test_a_file_that_was_removed_begins_again(tmp_path: Path):
    """What was before its removal is no history of the new one."""
    new_repository(tmp_path)
    one = {"name": "one", "description": "d", "owner": "o", "type": "boolean", "enabled": True}
    commit(tmp_path, "2026-01-01T00:00:00Z", one)
    subprocess.run(["git", "-C", str(tmp_path), "rm", "-q", "environments/staging/flags.yaml"], check=True)
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", "-C", str(tmp_path), *who, "commit", "-qm", "remove"], check=True)
    commit(tmp_path, "2026-03-01T00:00:00Z", one)

    since = unchanged_since(tmp_path, declared_flags(tmp_path, "staging", "HEAD"))
    assert [f"{at:%Y-%m-%d}" for at in since.values()] == ["2026-03-01"]


def test_outside_of_git_nobody_knows_since_when(tmp_path: Path):
    """The other reasons still count."""
    commit_free = tmp_path / "environments" / "staging"
    commit_free.mkdir(parents=True)
    document = {"apiVersion": "adx/v1", "kind": "Flags", "environment": "staging", "flags": []}
    (commit_free / "flags.yaml").write_text(yaml.safe_dump(document))
    (commit_free / "services.yaml").write_text(yaml.safe_dump(SERVICES))

    assert unchanged_since(tmp_path, declared_flags(tmp_path, "staging")) == {}
