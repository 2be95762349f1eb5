"""Delivers a small repository and keeps what that left: run by ``keep.sh``, with the modules and tools of an old ADX.

It calls nothing that today's ADX would have to keep for it: the command line, the old tests' own repository, and the
old clients of the cluster and of Temporal, as they were.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from scripts.toolchain import postgres_bin_folder
from tests.delivery.shop import Shop
from workflows.clients.kubernetes import Cluster
from workflows.connection import connect

ENVIRONMENT = "kept"
DELIVERED, RESTORED = 0, 4
# Not secret: they protect nothing but this story, and whoever reads what it left needs them.
STORY = b"the story of tests/upgrade"
SECRETS = {
    "snapshot-key": base64.b64encode(hashlib.sha256(STORY).digest()).decode(),
    "pulumi-passphrase": STORY.decode(),
}
# What would name the machine that told the story; a replay reads neither.
_MACHINE = re.compile(r'("(?:stackTrace|identity)": )"(?:[^"\\]|\\.)*"')


def main(home: Path, kept: Path) -> None:
    """Tell the story in ``home``, and fill ``kept``."""
    (home / "secrets").mkdir(parents=True, mode=0o700)
    for name, value in SECRETS.items():
        (home / "secrets" / name).write_text(value)
        (home / "secrets" / name).chmod(0o600)
    shop = Shop(home, ENVIRONMENT)
    environ = {**os.environ, "ADX_HOME": str(home), "ADX_REPO": str(shop.remote), "ADX_POLL_SECONDS": "0"}
    try:
        adx(environ, "up", expected=0)
        deliver(environ, shop)
        keep(home, shop, kept)
    finally:
        adx(environ, "down", expected=0)


def deliver(environ: dict[str, str], shop: Shop) -> None:
    """Three merges: the first, one with every kind of change, and one that is restored."""
    shop.merge("Declare the shop")
    adx(environ, "deploy", ENVIRONMENT, "--watch", "--by", "ada", expected=DELIVERED)

    shop.services["frontend"]["version"] = "v1.3.0"
    shop.documents["tenants/initech.yaml"] = shop.documents.pop("tenants/globex.yaml") | {
        "name": "initech",
        "display_name": "Initech",
        "owner": "team-initech",
        "database": {"engine": "mysql", "name": "initech"},
    }
    shop.documents[f"environments/{ENVIRONMENT}/flags.yaml"]["flags"][0]["enabled"] = False
    shop.merge("Raise frontend; Initech in place of Globex")
    adx(environ, "deploy", ENVIRONMENT, "--watch", "--by", "ada", expected=DELIVERED)

    shop.services["frontend"]["version"] = "v1.4.0-broken"
    shop.merge("Raise frontend to what never becomes ready")
    adx(environ, "deploy", ENVIRONMENT, "--watch", "--by", "grace", expected=RESTORED)


def keep(home: Path, shop: Shop, kept: Path) -> None:
    """Everything that is durable, without the machine it was written on."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    settings = json.loads((home / "env.json").read_text())
    (kept / "ledger.sql").write_text(dump(settings["ADX_LEDGER_URL"]))
    shutil.copytree(home / "data" / "snapshots", kept / "snapshots")
    beside = shutil.ignore_patterns("backups", "history", "locks", "*.bak", "*.bak.attrs")
    shutil.copytree(home / "data" / "pulumi", kept / "pulumi", ignore=beside)
    bundle = ["bundle", "create", "--quiet", str(kept / "repository.bundle"), "--all"]
    subprocess.run(["git", "-C", str(shop.remote), *bundle], check=True)
    asyncio.run(keep_live(settings, kept))
    for name, value in SECRETS.items():
        (kept / name).write_text(value + "\n")


def dump(url: str) -> str:
    """The ledger as SQL, for any owner; the password is in the environment, not in the command."""
    parts = urlsplit(url)
    where = {"PGHOST": parts.hostname, "PGPORT": str(parts.port), "PGDATABASE": parts.path.removeprefix("/")}
    who = {"PGUSER": parts.username, "PGPASSWORD": parts.password}
    command = [str(postgres_bin_folder() / "pg_dump"), "--no-owner", "--no-privileges"]
    return subprocess.run(command, env=os.environ | where | who, check=True, capture_output=True, text=True).stdout


async def keep_live(settings: dict[str, str], kept: Path) -> None:
    """Digest of every live object, and the history of every workflow (of those that took merges in, one)."""
    async with await Cluster.connect(settings["KUBECONFIG"], settings["ADX_KUBE_CONTEXT"]) as cluster:
        live = await cluster.live_digests(ENVIRONMENT)
    (kept / "live.json").write_text(json.dumps(live, indent=1, sort_keys=True) + "\n")
    client = await connect(settings)
    (kept / "histories").mkdir()
    async for run in client.list_workflows():
        text = (await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()).to_json()
        known = {"id": run.id, "history": json.loads(_MACHINE.sub(r'\1""', text))}
        name = run.workflow_type if run.workflow_type == "IntakeWorkflow" else f"{run.workflow_type}.{run.id}"
        body = json.dumps(known, separators=(",", ":"))
        (kept / "histories" / f"{name}.json.gz").write_bytes(gzip.compress(body.encode(), mtime=0))


def adx(environ: dict[str, str], *arguments: str, expected: int) -> None:
    """Run the old command line; ends the story when its exit status is another one."""
    status = subprocess.run([sys.executable, "-m", "pipelines.cli", *arguments], env=environ, check=False).returncode
    if status != expected:
        raise SystemExit(f"adx {' '.join(arguments)} ended with {status}, not {expected}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
