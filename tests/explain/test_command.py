"""`adx explain` as people and scripts run it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pipelines.cli.explain import explain
from policies.desired_state import resolve
from policies.folder_tree import FolderTree
from policies.loader import load
from tests.explain.command import Ran, run
from tests.explain.repositories import written
from tests.loading.repositories import Repository
from tests.support.declared import base_documents
from workflows.ledger import Ledger, fencing, rollouts, units
from workflows.ledger.models import NewRollout
from workflows.ledger.units import UnitState

NOBODY = "127.0.0.1:1"  # port 1 is reserved: nothing listens there
CANARY = "canary-4d1f-password"
SERVICES = "environments/development/services.yaml"
COMMIT = "8d1e77aa" * 5


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small repository as the working folder, with a home that knows no ledger."""
    folder = written(tmp_path / "repository")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ADX_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADX_LEDGER_URL", raising=False)
    return folder


def test_without_a_ledger_the_rest_is_told_and_the_status_is_0(repository: Path) -> None:
    """One line says what is missing."""
    ended = run(explain, f"{SERVICES}#services.frontend")

    assert ended.code == 0
    assert "Deployment/frontend" in ended.out
    assert "not known: ADX_LEDGER_URL is not set" in ended.out


def test_an_unreachable_ledger_is_one_line_without_its_password(repository: Path) -> None:
    """Neither in text nor in JSON."""
    url = f"postgresql+psycopg://adx:{CANARY}@{NOBODY}/adx"
    shown, raw = (
        run(explain, "tenants/acme.yaml", ADX_LEDGER_URL=url),
        run(explain, "tenants/acme.yaml", "--json", ADX_LEDGER_URL=url),
    )

    assert (shown.code, raw.code) == (0, 0)
    assert "not known: the ledger cannot be reached" in shown.out
    assert "the ledger cannot be reached" in json.loads(raw.out)["no_rollouts"]
    assert CANARY not in shown.out + shown.err + raw.out + raw.err


def test_json_holds_objects_consumers_and_rules(repository: Path) -> None:
    """What the screen says in short, in full."""
    told = json.loads(run(explain, "development", "service/frontend", "--json").out)

    assert {"kind": "Deployment", "name": "frontend", "namespace": "shop-development"} in told["units"][0]["objects"]
    assert told["units"][0]["declared"] == {"file": SERVICES, "path": "services[0]", "line": 5}
    assert any(consumer["name"] == "acme" for consumer in told["units"][0]["consumers"])
    assert all(rule["what"] for rule in told["rules"])


def test_a_file_is_found_from_a_folder_below(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the shell completes it there."""
    (repository / ".git").mkdir()
    monkeypatch.chdir(repository / "tenants")

    assert "Acme Outfitters" in run(explain, "acme.yaml").out


def test_a_broken_declaration_is_answered_with_its_problems_and_3(repository: Path) -> None:
    """File, line, column, what and what would be right; no secret from the file."""
    documents = base_documents()
    documents[SERVICES]["services"][0]["dependencies"] = ["chekout"]
    documents[SERVICES]["services"][0]["env"]["DB_PASSWORD"] = CANARY
    written(repository, documents)

    shown, raw = run(explain, SERVICES), run(explain, SERVICES, "--json")

    assert (shown.code, raw.code) == (3, 3)
    assert "write checkout" in shown.out
    problems = json.loads(raw.out)["problems"]
    assert {problem["file"] for problem in problems} == {SERVICES}
    assert all(problem["line"] for problem in problems)
    assert CANARY not in shown.out + shown.err + raw.out + raw.err


def test_an_unknown_path_is_answered_with_the_nearest_and_6(repository: Path) -> None:
    """Without a traceback."""
    ended = run(explain, "tenants/acmee.yaml")

    assert (ended.code, ended.out) == (6, "")
    assert "write tenants/acme.yaml" in ended.err
    assert "Traceback" not in ended.err


def test_a_commit_is_explained_as_it_was(repository: Path, tmp_path: Path) -> None:
    """With --ref an earlier one, of a bare repository its HEAD."""
    bare = Repository(tmp_path / "bare.git")
    files = {path.relative_to(repository).as_posix(): path.read_bytes() for path in repository.rglob("*.yaml")}
    first = bare.commit(files)
    renamed = files["tenants/acme.yaml"].replace(b"Acme Outfitters", b"Acme Renamed")
    bare.commit({**files, "tenants/acme.yaml": renamed}, parents=(first,))

    was = run(explain, "tenants/acme.yaml", "--ref", first, "--repo", str(bare.path))
    now = run(explain, "tenants/acme.yaml", "--repo", str(bare.path))

    assert f"at {first[:10]}" in was.out
    assert ("Acme Outfitters" in was.out, "Acme Renamed" in now.out) == (True, True)


def test_the_ledger_tells_what_is_delivered_and_the_last_rollouts(repository: Path, ledger_url: str) -> None:
    """By unit: one that is delivered as declared, one that is not, one that nothing touched."""
    asyncio.run(fill(ledger_url, repository))

    def told(unit: str) -> Ran:
        return run(explain, "development", unit, ADX_LEDGER_URL=ledger_url)

    frontend = told("service/frontend").out
    assert "applied as declared here" in frontend
    assert "delivered" in frontend.partition("rollouts")[2].splitlines()[0]
    assert "applied not as declared here" in told("service/checkout").out
    assert "rollouts      none yet" in told("service/store").out


def test_a_ledger_without_tables_is_no_failure(repository: Path, ledger_url: str) -> None:
    """Nothing was delivered yet, and no worker has ever run."""
    ended = run(explain, "tenants/acme.yaml", ADX_LEDGER_URL=ledger_url)

    assert ended.code == 0
    assert "tables are missing" in " ".join(ended.out.split())


async def fill(url: str, repository: Path) -> None:
    """One rollout that applied frontend as it is declared, and checkout as it was."""
    state = resolve(load(FolderTree(repository)), "development", "").by_id()
    new = NewRollout(
        id="r1", environment="development", kind="deliver", commit=COMMIT, requested_by="ana", source="cli"
    )
    async with await Ledger.open(url) as ledger:
        await ledger.migrate()
        await rollouts.start(ledger, new)
        token = await fencing.acquire(ledger, "development", new.id)
        digests = {"service/frontend": state["service/frontend"].digest, "service/checkout": "0" * 64}
        states = [
            UnitState(unit=unit, status="applied", digest=digest, commit=COMMIT) for unit, digest in digests.items()
        ]
        await units.record(ledger, "development", new.id, states, fencing_token=token)
        await rollouts.finish(ledger, new.id, "delivered")
