"""`adx api` as a program: served, ended, its tokens, and the guide's examples as they are written."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from pipelines.api.tokens import FILE_SETTING
from tests.api.server import Server, adx, serving
from tests.api.world import World
from tests.pipelines.command import environment
from tests.support.waiting import wait_until

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


def made(folder: Path, name: str, role: str, *more: str) -> str:
    """A token, as `adx api token` prints it."""
    file = folder / "tokens.json"
    ran = adx(
        *("api", "token", name, "--role", role, "--file", str(file), *more),
        environ=environment(folder / "home"),
        folder=folder,
    )
    assert ran.code == 0, ran.err
    return ran.out.strip()


async def test_the_examples_of_the_guide_do_what_it_says(world: World, tmp_path: Path) -> None:
    """In the order of the guide, by bash and curl, with a worker."""
    token, admin = made(tmp_path, "ci", "migrate"), made(tmp_path, "ops", "admin")
    with serving(world.environ | {FILE_SETTING: str(tmp_path / "tokens.json")}, tmp_path) as server:
        async with world.worker():
            variables = {"API": server.url, "TOKEN": token, "ADMIN": admin, "PATH": "/usr/bin:/bin"}
            # Temporal may remember the guide's own id from an earlier run.
            mine = f"release-{world.environment}"
            scripts = [one.replace("release-1", mine).replace("staging", world.environment) for one in _examples()]
            start, look, follow, listed, cancel = await _run_all(scripts, variables, tmp_path)

    assert start == json.loads(_block("json", '"started"').replace("release-1", mine))
    assert look["operation_id"] == mine
    assert follow is None
    assert json.loads((tmp_path / "operation.json").read_text())["status"] == "succeeded"
    assert listed == {"operations": [], "next": None}
    assert (cancel["status"], cancel["is_over"]) == ("succeeded", True)
    assert world.version_of("acme") == 2


def _examples() -> list[str]:
    """The guide's calls of curl. An environment is called `staging` there, and otherwise here."""
    return [block for block in re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE) if "curl" in block]


def _block(language: str, part: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    return next(block for block in found if part in block)


async def _run_all(scripts: list[str], variables: dict[str, str], folder: Path) -> list[object]:
    """What each prints, as JSON; None where it prints nothing."""
    answers = []
    for script in scripts:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", script), env=variables, cwd=folder, stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, (script, out)
        answers.append(json.loads(out) if out else None)
    return answers


def test_the_server_ends_gracefully_and_answers_whoever_waits(world: World, tmp_path: Path) -> None:
    """On SIGTERM, without a worker to bring news."""
    with serving(world.environ, tmp_path) as server:
        body = {"id": f"release-{world.environment}", "target_version": 2, "tenant_id": "acme"}
        assert httpx.post(f"{server.url}/api/migrations", json=body, timeout=60).status_code == 200
        place = f"{server.url}/api/operations/{body['id']}"
        tag = httpx.get(place, timeout=60).headers["etag"]
        waiting = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        waiting.request("GET", f"/api/operations/{body['id']}?wait=60", headers={"If-None-Match": tag})
        httpx.get(place, timeout=60)  # answered after it: the server has read the one that waits
        server.process.send_signal(signal.SIGTERM)

        assert waiting.getresponse().status == 304
        assert server.process.wait(30) == 0
    assert _events(server)[-1]["event"] == "api stopped"


def test_probes_tell_of_what_is_away(world: World, tmp_path: Path) -> None:
    """It starts all the same, and is not ready."""
    with serving(world.environ | {"ADX_TEMPORAL_ADDRESS": "127.0.0.1:1"}, tmp_path) as server:
        live = httpx.get(f"{server.url}/healthz", timeout=60)
        ready = wait_until(lambda: _not_ready(server), lambda failed: "ledger" not in failed)

    assert live.status_code == 200
    assert set(ready) == {"temporal"}


def _not_ready(server: Server) -> dict[str, str]:
    """What failed, Temporal among it. A ledger may not answer in time on a busy machine; nothing else may fail."""
    answer = httpx.get(f"{server.url}/readyz", timeout=60)
    failed: dict[str, str] = answer.json()["failed"]
    assert (answer.status_code, "temporal" in failed) == (503, True)
    assert failed.get("ledger", "no answer in time") == "no answer in time"
    return failed


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "said"),
    [
        (("--listen", "0.0.0.0:0"), {}, 2, "no tokens are set"),
        (("--listen", "127.0.0.1:0"), {FILE_SETTING: "nowhere.json"}, 2, "cannot be read"),
        (("--listen", "nonsense"), {}, 1, "is not an address"),
        (("--listen", "127.0.0.1:0"), {"ADX_TEMPORAL_ADDRESS": ""}, 6, "ADX_TEMPORAL_ADDRESS is not set"),
    ],
)
def test_what_cannot_be_served_is_told_at_the_start(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], code: int, said: str
) -> None:
    """With a status and the next step, and without a traceback."""
    settings = {
        "ADX_LEDGER_URL": "postgresql+psycopg://adx@127.0.0.1:1/adx",
        "ADX_TEMPORAL_ADDRESS": "127.0.0.1:1",
        "ADX_SNAPSHOT_STORE": (tmp_path / "snapshots").as_uri(),
        "ADX_SNAPSHOT_KEY": "A" * 43 + "=",
    }
    environ = {**environment(tmp_path / "home"), **settings, **variables}
    ran = adx("api", "serve", *arguments, environ=environ, folder=tmp_path)

    assert ran.code == code, ran.err
    assert said in ran.err
    assert "→" in ran.err
    assert "Traceback" not in ran.err


def test_a_token_is_printed_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    token = made(tmp_path, "ci", "migrate", "--environment", "staging", "--tenant", "acme")
    (entry,) = json.loads((tmp_path / "tokens.json").read_text())

    assert re.fullmatch(r"adx_[\w-]{43}", token)
    assert {name: entry[name] for name in ("name", "role", "environments", "tenants")} == {
        "name": "ci",
        "role": "migrate",
        "environments": ["staging"],
        "tenants": ["acme"],
    }
    assert token not in (tmp_path / "tokens.json").read_text()


def test_without_a_file_the_entry_is_shown_beside_the_token(tmp_path: Path) -> None:
    """The token alone on stdout, so that it can be piped."""
    ran = adx("api", "token", "grafana", environ=environment(tmp_path / "home"), folder=tmp_path)
    as_json = adx("--json", "api", "token", "grafana", environ=environment(tmp_path / "home"), folder=tmp_path)

    assert re.fullmatch(r"adx_[\w-]{43}\n", ran.out)
    assert '"token_sha256":"' in ran.err
    assert set(json.loads(as_json.out)) == {"token", "entry"}
    assert as_json.err == ""


def test_the_document_is_written_where_it_is_kept(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
    ran = adx(
        *("api", "document", "--write", "new/openapi.json"), environ=environment(tmp_path / "home"), folder=tmp_path
    )

    assert ran.code == 0, ran.err
    assert (tmp_path / "new" / "openapi.json").read_text() == kept.read_text()


def _events(server: Server) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
