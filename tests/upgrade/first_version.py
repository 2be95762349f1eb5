"""What an ADX of the first version left behind (``kept/``), brought to where today's ADX looks for it."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from infra.engine import state
from scripts.drills import backing
from tests.delivery.delivery import Delivery
from tests.delivery.shop import Shop
from tests.support.declared import read_documents
from tests.support.local_stack import LocalStack
from tests.upgrade.continuing import delivering
from workflows.clients.kubernetes import Cluster

KEPT = Path(__file__).parent / "kept"
ENVIRONMENT = "kept"
MANAGER = f"adx-{ENVIRONMENT}"
STATE = Path(".pulumi") / "stacks" / "adx" / f"{ENVIRONMENT}.json.zst"


def restore_ledger(url: str) -> None:
    """Read the dump into the empty database that the SQLAlchemy ``url`` names, as an operator would."""
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
    backing.postgres("psql", {"ADX_LEDGER_URL": url}, *options, f"--file={KEPT / 'ledger.sql'}")


def settings_for(folder: Path, stack: LocalStack, ledger_url: str) -> dict[str, str]:
    """Settings of a worker of today over a copy of what was kept, in ``folder``."""
    for name in ("snapshots", "pulumi", "snapshot-key", "pulumi-passphrase"):
        source = KEPT / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    for name in ("snapshot-key", "pulumi-passphrase"):
        (folder / name).chmod(0o600)
    return stack.environment | {
        "ADX_HOME": str(folder / "home"),
        "ADX_REPO": str(folder / "remote.git"),
        "ADX_TASK_QUEUE": ENVIRONMENT,
        "ADX_LEDGER_URL": ledger_url,
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "ADX_SNAPSHOT_KEY_FILE": str(folder / "snapshot-key"),
        "PULUMI_BACKEND_URL": (folder / "pulumi").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "pulumi-passphrase"),
        "ADX_POLL_SECONDS": "0",
    }


def restored_shop(folder: Path) -> Shop:
    """The repository as it was, to be changed further; the last merge in it is the one that was restored."""
    shop = Shop(folder, ENVIRONMENT)
    for command in (["-C", str(shop.remote), "fetch", "-q", str(KEPT / "repository.bundle"), "refs/*:refs/*"],
                    ["-C", str(shop.work), "pull", "-q", "origin", "main"]):  # fmt: skip
        subprocess.run(["git", *command], check=True, capture_output=True)
    shop.documents = read_documents(shop.work)
    return shop


async def recreate_objects(cluster: Cluster) -> None:
    """Make the objects that the old state knows, with the inputs and the field manager that the old ADX used."""
    export = json.loads(state.export_stored(KEPT / "pulumi" / STATE))
    writer = cluster.writer(MANAGER)
    for resource in export["deployment"]["resources"]:
        if resource["type"].startswith("kubernetes:"):
            await writer.apply(resource["inputs"])


def live_as_left() -> Mapping[str, Mapping[str, str]]:
    """Digest of every object in the cluster that the old ADX delivered to, as the old ADX made it, by unit."""
    found: dict[str, dict[str, str]] = json.loads((KEPT / "live.json").read_text())
    return found


@contextlib.asynccontextmanager
async def continued(stack: LocalStack, ledger_url: str, folder: Path) -> AsyncIterator[Delivery]:
    """Everything in its place, the ledger migrated, the objects made again; no worker running yet."""
    restore_ledger(ledger_url)
    environ = settings_for(folder, stack, ledger_url)
    async with delivering(environ, folder, restored_shop(folder)) as delivery:
        await recreate_objects(delivery.cluster)
        yield delivery


def history_of(path: Path) -> tuple[str, Any]:
    """Workflow id and events of a kept history."""
    known = json.loads(gzip.decompress(path.read_bytes()))
    return known["id"], known["history"]
