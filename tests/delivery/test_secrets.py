"""The secrets that ADX works with are canaries: after a delivery and a restore they are found nowhere in clear."""

from __future__ import annotations

from pathlib import Path

import yaml
from sqlalchemy import make_url, text

from tests.delivery.delivery import Delivery


def canaries(delivery: Delivery) -> dict[str, str]:
    """Name → value of every secret that the worker was given."""
    files = {name: value for name, value in delivery.environ.items() if name.endswith("_FILE")}
    found = {name: Path(path).read_text().strip() for name, path in files.items() if Path(path).is_file()}
    found["ledger password"] = str(make_url(delivery.environ["ADX_LEDGER_URL"]).password)
    for user in yaml.safe_load(Path(delivery.environ["KUBECONFIG"]).read_text())["users"]:
        found |= {f"kubeconfig {key}": value for key, value in user["user"].items() if "token" in key or "key" in key}
    return found


async def everything_written(delivery: Delivery) -> dict[str, bytes]:
    """Logs, state, snapshots and Pulumi folders; the ledger's rows; the histories of all workflows."""
    written = {str(path): path.read_bytes() for path in delivery.folder.rglob("*") if path.is_file()}
    async with delivery.ledger.transaction() as connection:
        for table in ("rollouts", "steps", "units", "audit", "idempotent_results", "quarantine", "environments"):
            rows = await connection.execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))
            written[f"ledger {table}"] = "\n".join(rows.scalars()).encode()
    async for execution in delivery.client.list_workflows(f"TaskQueue = '{delivery.environment}'"):
        handle = delivery.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        written[f"history {execution.id}"] = (await handle.fetch_history()).to_json().encode()
    return written


async def test_no_secret_is_found_after_a_delivery_and_a_restore(delivery: Delivery) -> None:
    """Not in logs, state, snapshots, ledger or histories."""
    delivery.start_worker()
    delivery.shop.merge("good")
    assert (await delivery.deliver()).outcome == "delivered"
    delivery.shop.services["frontend"]["version"] = "v2.0.0-broken"
    delivery.shop.merge("bad")
    assert (await delivery.deliver()).outcome == "restored"

    written = await everything_written(delivery)
    secrets = canaries(delivery)

    assert len(secrets) >= 4
    assert any(name.startswith("history") for name in written)
    assert written["ledger steps"]
    found = [
        (name, place) for name, value in secrets.items() for place, data in written.items() if value.encode() in data
    ]
    assert found == []
