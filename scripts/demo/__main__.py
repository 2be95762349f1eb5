"""``make demo``: the main job in one terminal, on real parts, in a stack of its own under ``.adx/demo``.

A good merge is delivered, a bad one is found and restored, and both are proved
by reading the cluster and the ledger. Exit status 0 only if all of it was so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid

from rich.console import Console

from scripts.demo.cluster import Looked, look
from scripts.demo.remote import ROOT, Remote

ENVIRONMENT, SERVICE, TENANT = "development", "frontend", "quayside-books"
HOME = ROOT / ".adx" / "demo"
FOLDER = HOME / "repository"
DELIVERED, RESTORED = 0, 4  # exit statuses of `adx deploy --watch`, see `adx --help`
REPOSITORY = "demo/platform"

console = Console(highlight=False)


class Story:
    """Tells what happens, and counts what was proved."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.failed: list[str] = []

    def chapter(self, text: str) -> None:
        """A heading with the time since the start."""
        console.print(f"\n[bold]{text}[/bold]  [dim]{time.monotonic() - self.started:.0f} s[/dim]")

    def proof(self, what: str, is_true: bool) -> None:
        """One thing that was looked up, not assumed."""
        console.print(f"  [green]✔[/green] {what}" if is_true else f"  [red]✘ {what}[/red]")
        if not is_true:
            self.failed.append(what)


def main() -> int:
    """Tell the story; 0 only if every proof held."""
    story = Story()
    clear_away()
    remote = Remote(FOLDER)
    story.chapter("1. A stack of real parts, and a company's repository")
    first = remote.create()
    adx("up")
    console.print(f"  a bare remote with environments/ and tenants/ of this repository, at {first[:12]}")
    if adx("deploy", ENVIRONMENT, "--watch") != DELIVERED:
        console.print("[red]the first delivery failed; see `adx history` above[/red]")
        return 1
    old = look(HOME, ENVIRONMENT)

    good = tell_good_merge(story, remote, old)
    tell_bad_merge(story, remote, good)
    tell_what_next(story)
    return 1 if story.failed else 0


def tell_good_merge(story: Story, remote: Remote, old: Looked) -> Looked:
    """A tenant added, a version raised, a flag changed: merged, announced by webhook, delivered."""
    story.chapter("2. A good merge: a tenant added, a version raised, a flag changed")
    remote.add_tenant(TENANT, ENVIRONMENT)
    before = remote.set_version(ENVIRONMENT, SERVICE, "v0.10.6")
    flag = remote.enable_flag(ENVIRONMENT)
    commit = remote.merge(f"Welcome Quayside Books; {SERVICE} v0.10.6; change {flag}")
    console.print("  what the reviewer of the pull request saw:")
    adx("preview", "--base", "HEAD~1", "--head", "HEAD", "--environment", ENVIRONMENT, "--repo", str(remote.work))
    announce(commit)
    console.print("  pushed; a signed push event is on its way to the webhook receiver")
    status = adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))

    now = look(HOME, ENVIRONMENT)
    story.proof(f"the rollout says it delivered {commit[:12]}", status == DELIVERED)
    story.proof("the ledger says the same", now.delivered_commit == commit)
    story.proof(
        f"the cluster has a namespace for {TENANT}", now.has_namespace(TENANT) and not old.has_namespace(TENANT)
    )
    story.proof(f"{SERVICE} runs v0.10.6, no longer {before}", now.image_of(SERVICE).endswith(":v0.10.6"))
    story.proof(f"services read another value of {flag}", now.flag_is_on(flag) is not old.flag_is_on(flag))
    return now


def tell_bad_merge(story: Story, remote: Remote, good: Looked) -> None:
    """A version whose pods never become ready: found, restored, proved object by object."""
    story.chapter("3. A bad merge: a version whose pods never become ready")
    remote.set_version(ENVIRONMENT, SERVICE, "v0.11.0-broken")
    commit = remote.merge(f"{SERVICE} v0.11.0-broken")
    announce(commit)
    status = adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))

    now = look(HOME, ENVIRONMENT)
    story.proof("the rollout failed and was restored", status == RESTORED)
    same = sum(1 for name, digest in good.digests.items() if now.digests.get(name) == digest)
    is_same = now.digests == good.digests
    story.proof(f"the cluster is exactly as before: {same} of {len(good.digests)} objects equal, none new", is_same)
    story.proof("the ledger still says the good commit", now.delivered_commit == good.delivered_commit)
    is_verified = now.last is not None and now.last.status == "restored" and bool(now.last.restore_verified)
    story.proof("the ledger says: restored, and verified", is_verified)
    story.proof(f"{commit[:12]} is quarantined", commit in now.quarantined)
    branches = remote.git("ls-remote", "--heads", "origin")
    story.proof("a revert is prepared on a branch of its own", f"adx/revert-{ENVIRONMENT}-{commit[:12]}" in branches)


def tell_what_next(story: Story) -> None:
    """Where to look further, and how to end it."""
    seconds = time.monotonic() - story.started
    verdict = "[green]all of it was verified[/green]" if not story.failed else f"[red]{len(story.failed)} failed[/red]"
    console.print(f"\n[bold]Done in {seconds:.0f} s: {verdict}.[/bold] The stack is still running. Look further:")
    run = f"ADX_HOME={HOME.relative_to(ROOT)} .venv/bin/adx"
    for command in (f"history {ENVIRONMENT}", f"status {ENVIRONMENT}", "status", "logs worker", "down"):
        note = "   # ends it" if command == "down" else ""
        console.print(f"  {run} {command}{note}", soft_wrap=True)


def clear_away() -> None:
    """End and remove what an earlier demo left."""
    if HOME.exists():
        adx("down", quiet=True)
        shutil.rmtree(HOME)


def announce(commit: str) -> None:
    """Send what GitHub would send for the push: a signed event. Raises when the receiver refuses it."""
    parts = json.loads(adx_json("status"))
    url = next(part["address"] for part in parts["parts"] if part["name"] == "webhook")
    secret = (HOME / "secrets" / "webhook-secret").read_text().strip().encode()
    event = {"ref": "refs/heads/main", "after": commit, "deleted": False, "repository": {"full_name": REPOSITORY}}
    body = json.dumps(event).encode()
    request = urllib.request.Request(  # noqa: S310 - the local receiver's own http address
        url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
        response.read()


def adx(*arguments: str, quiet: bool = False) -> int:
    """Run `adx` in the demo's home, its output on this terminal; the exit status."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=ROOT, env=environment(), stdout=output, check=False).returncode


def adx_json(*arguments: str) -> str:
    """The JSON that `adx` prints."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments, "--json"]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False).stdout


def environment() -> dict[str, str]:
    """A home and a repository of the demo's own, whatever the terminal is set up for."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ADX_", "PULUMI_"))}
    kept = {name: os.environ[name] for name in ("ADX_CACHE_DIR",) if name in os.environ}
    own = {"ADX_HOME": str(HOME), "ADX_REPO": str(FOLDER / "remote.git"), "ADX_WEBHOOK_REPOSITORY": REPOSITORY}
    return {**inherited, **kept, **own}


if __name__ == "__main__":
    sys.exit(main())
