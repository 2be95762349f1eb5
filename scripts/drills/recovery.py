"""``python -m scripts.drills.recovery``: lose everything but git and a backup, and come back; on a stack of its own.

Delivers, backs up, delivers once more, then destroys the ledger, the snapshots,
Pulumi's state, both keys, all that Temporal knows and every object of the
cluster. Restores, and proves by reading cluster and ledger that it is what it
was at the backup, and that what was merged since is delivered. Exit status 0
only if every proof held. Takes under three minutes; ends its stack.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from scripts.demo.cluster import Looked, look
from scripts.demo.remote import ENVIRONMENT, ROOT, Remote
from scripts.demo.telling import DELIVERED, Story, console
from scripts.drills.backing import back_up, lose, put_back
from scripts.stack import Stack
from workflows.connection import connect
from workflows.drift.schedule import check_now

HOME = ROOT / ".adx" / "drill"
BACKUP = ROOT / ".adx" / "drill-backup"
SERVICE, TENANT = "frontend", "quayside-books"
HEALS_ITSELF = "drift:\n  check_every_seconds: 60\n  heal: always\n"
SCHEDULE_PATIENCE_SECONDS = 60
HEAL_PATIENCE_SECONDS = 300


def main() -> int:
    """Tell the story; 0 only if every proof held."""
    story = Story()
    clear_away()
    try:
        remote = Remote(HOME / "repository")
        head = deliver(story, remote)
        then, trail = save(story)
        merged = merge_unsaved(story, remote, head)
        destroy(story)
        began = time.monotonic()
        restore(story)
        heal(story, then, trail, began)
        deliver_merged(story, merged, began)
    finally:
        adx("down")
    console.print(f"\n{'every proof held' if not story.failed else f'{len(story.failed)} proof(s) failed'}")
    return 1 if story.failed else 0


def deliver(story: Story, remote: Remote) -> str:
    """The shop, which heals itself, and a change of it; the commit that is delivered."""
    story.chapter("1. A stack of its own; two deliveries")
    remote.create()
    with (remote.work / "environments" / ENVIRONMENT / "environment.yaml").open("a") as file:
        file.write(HEALS_ITSELF)
    remote.merge("Heal drift")
    adx("up")
    story.proof("the shop is delivered", adx("deploy", ENVIRONMENT, "--watch") == DELIVERED)
    remote.add_tenant(TENANT, ENVIRONMENT)
    commit = remote.merge("Welcome Quayside Books")
    story.proof("a tenant more is delivered", adx("deploy", ENVIRONMENT, "--watch") == DELIVERED)
    return commit


def save(story: Story) -> tuple[Looked, str]:
    """Back up while everything runs; what there was, and the end of the audit trail, kept elsewhere."""
    story.chapter("2. A backup, while everything runs")
    began = time.monotonic()
    size = back_up(settings(), BACKUP)
    console.print(
        f"  {size / 1e6:.2f} MB in {time.monotonic() - began:.1f} s: ledger, snapshots, Pulumi's state, two keys"
    )
    end = json.loads(told("verify-audit"))
    return look(HOME, ENVIRONMENT), f"{end['sequence']}:{end['hash']}"


def merge_unsaved(story: Story, remote: Remote, head: str) -> str:
    """A change after the backup: the ledger that comes back will not know of it, git does."""
    story.chapter("3. One more merge, delivered after the backup")
    remote.set_version(ENVIRONMENT, SERVICE, "v0.10.6")
    commit = remote.merge(f"{SERVICE} v0.10.6")
    story.proof("it is delivered", adx("deploy", ENVIRONMENT, "--watch") == DELIVERED and commit != head)
    return commit


def destroy(story: Story) -> None:
    """Nothing is left but git, the backup and the programs."""
    story.chapter("4. The disaster")
    stack = Stack(HOME)
    stack.down(["worker", "webhook"])
    lose(settings())
    adx("down")
    for lost in (HOME / "data" / "temporal", HOME / "data" / "etcd", HOME / "mirror", HOME / "pulumi"):
        shutil.rmtree(lost, ignore_errors=True)
    console.print("  ledger, snapshots, Pulumi's state, keys, Temporal's data, every object of the cluster: gone")


def restore(story: Story) -> None:
    """Servers first, then what they held, then what only Temporal knew; workers last."""
    story.chapter("5. The restore")
    Stack(HOME).up(["postgres", "temporal"])
    put_back(settings(), BACKUP)
    story.proof("Temporal is told what the ledger knows", adx("resume", "--yes") == DELIVERED)
    adx("up")


def heal(story: Story, then: Looked, trail: str, began: float) -> None:
    """The check for drift finds every object missing, and puts it back; it is not waited for, but started."""
    asyncio.run(_check_now())
    now = look(HOME, ENVIRONMENT)
    while time.monotonic() - began < HEAL_PATIENCE_SECONDS and (now.last is None or now.last.kind != "heal"):
        time.sleep(0.5)
        now = look(HOME, ENVIRONMENT)
    while time.monotonic() - began < HEAL_PATIENCE_SECONDS and now.last is not None and now.last.status == "running":
        time.sleep(0.5)
        now = look(HOME, ENVIRONMENT)
    same = sum(1 for name, digest in then.digests.items() if now.digests.get(name) == digest)
    console.print(f"  {time.monotonic() - began:.0f} s after the restore began")
    story.proof(f"a heal put everything back: {same} of {len(then.digests)} objects equal, none new",
                now.digests == then.digests)  # fmt: skip
    story.proof("the ledger says the commit of the backup", now.delivered_commit == then.delivered_commit)
    story.proof("nothing has drifted, says adx drift", adx("drift", ENVIRONMENT) == 0)
    story.proof("the audit trail goes on from the end that was kept", adx("verify-audit", "--kept", trail) == 0)


def deliver_merged(story: Story, merged: str, began: float) -> None:
    """What was merged after the backup is in git, so it is delivered again."""
    story.chapter("6. What was merged since")
    status = adx("deploy", ENVIRONMENT, "--watch")
    now = look(HOME, ENVIRONMENT)
    story.proof(f"{merged[:12]} is delivered", (status, now.delivered_commit) == (DELIVERED, merged))
    story.proof(f"{SERVICE} runs v0.10.6", now.image_of(SERVICE).endswith(":v0.10.6"))
    console.print(f"  {time.monotonic() - began:.0f} s after the restore began")


async def _check_now() -> None:
    """Look for drift without waiting for the next minute."""
    known = settings()
    client = await connect(known)
    async with asyncio.timeout(SCHEDULE_PATIENCE_SECONDS):  # the worker makes it once it has read the ledger
        while True:
            if await check_now(client, known["ADX_TASK_QUEUE"], ENVIRONMENT):
                return
            await asyncio.sleep(1)


def clear_away() -> None:
    """End and remove what an earlier drill left."""
    if HOME.exists():
        adx("down")
    for folder in (HOME, BACKUP):
        shutil.rmtree(folder, ignore_errors=True)


def settings() -> dict[str, str]:
    """Settings of the drill's stack."""
    return Stack(HOME).environment()


def adx(*arguments: str) -> int:
    """Run `adx` on the drill's stack, its output on this terminal; the exit status."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def told(*arguments: str) -> Any:
    """The JSON that `adx` prints."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments, "--json"]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout


def environment() -> dict[str, str]:
    """The drill's home and repository, whatever the terminal is set up for; nothing is delivered by itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ADX_", "PULUMI_"))}
    kept = {name: os.environ[name] for name in ("ADX_CACHE_DIR",) if name in os.environ}
    remote: Path = HOME / "repository" / "remote.git"
    return {**inherited, **kept, "ADX_HOME": str(HOME), "ADX_REPO": str(remote), "ADX_POLL_SECONDS": "0"}


if __name__ == "__main__":
    sys.exit(main())
