"""A change of a tenant is judged against the rules of flags that name it, however little is read again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from policies.errors import DeclarationError
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from tests.support.declared import BASE

RULE = {"name": "pilot", "tenants": ["globex"], "variant": "on"}
FLAG = {"name": "new", "description": "d", "owner": "o", "type": "rules", "rules": [RULE]}


def committed(repository: Path) -> GitTree:
    """Everything, committed."""
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "change"], check=True)
    return GitTree.open(repository, "HEAD")


def test_a_tenant_that_a_rule_names_cannot_leave(tmp_path: Path):
    """Its own file would be valid without the flags."""
    repository = tmp_path / "repository"
    shutil.copytree(BASE, repository)
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    flags = repository / "environments" / "development" / "flags.yaml"
    document = yaml.safe_load(flags.read_text())
    document["flags"].append(FLAG)
    flags.write_text(yaml.safe_dump(document))
    before = resolve_commit(committed(repository), "development", None)

    (repository / "tenants" / "globex.yaml").unlink()
    with pytest.raises(DeclarationError) as refused:
        resolve_commit(committed(repository), "development", before)
    (problem,) = refused.value.problems
    assert (problem.rule, problem.path) == ("configuration.flag-tenant", "flags[2].rules[0].tenants[0]")
    assert problem.line > 0
