"""The real application does what its OpenAPI document says, for right and for wrong requests (schemathesis)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from pipelines.api.document import PLACE
from pipelines.api.tokens import FILE_SETTING, add_to_file, made
from tests.api.server import Server, serving
from tests.api.world import World
from tests.support.local_stack import LocalStack

EXAMPLES = 25  # of each operation, right and wrong ones together
schema = schemathesis.openapi.from_path(Path(__file__).parents[2] / PLACE)


@pytest.fixture
def token(tmp_path: Path) -> str:
    token, caller = made("contract", "admin", [], [])
    add_to_file(tmp_path / "tokens.json", caller)
    return token


@pytest.fixture
def server(world: World, tmp_path: Path, token: str) -> Iterator[Server]:
    """The real server, over real servers, with tokens; no worker, so that nothing ends while it is looked at."""
    own = {FILE_SETTING: str(tmp_path / "tokens.json"), "ADX_API_REQUESTS_PER_SECOND": "100000"}
    with serving(world.environ | own, tmp_path) as running:
        yield running


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_the_application_keeps_its_contract(case: schemathesis.Case, server: Server, token: str) -> None:
    """No answer that is not in the document, no right request refused, no wrong one taken, none without a token."""
    if case.query.get("wait"):
        case.query["wait"] = 0  # waits are tested beside this
    case.call_and_validate(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_the_log_of_the_server_holds_no_token(server: Server, token: str, local_stack: LocalStack) -> None:
    """Neither of those that are known nor of those that are not; and each line is one event."""
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    httpx.get(f"{server.url}/api/operations?after={token}", headers=headers, timeout=60)
    httpx.get(f"{server.url}/api/operations", headers={"Authorization": "Bearer canary-5d0c7f"}, timeout=60)
    server.process.terminate()
    server.process.wait(30)  # a line is written after its answer
    lines = server.log.read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]

    assert [(one["path"], one["status"], one["caller"]) for one in events if one["event"] == "request"] == [
        ("/api/operations", 422, "contract"),
        ("/api/operations", 401, ""),
    ]
    assert not any(secret in line for line in lines for secret in (token, "canary-5d0c7f"))
