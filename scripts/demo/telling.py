"""What all chapters of the demo share: what is said, `adx` in the demo's own home, a push as a hosting announces it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid

from rich.console import Console

from scripts.demo.remote import ROOT

HOME = ROOT / ".adx" / "demo"
FOLDER = HOME / "repository"
DELIVERED = 0  # exit status of `adx deploy --watch`, see `adx --help`
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
    # What happens here happens when it is told; a poller would deliver between two sentences.
    return {**inherited, **kept, **own, "ADX_POLL_SECONDS": "0"}
