"""``make demo``: the main job in one terminal, on real parts, in a stack of its own under ``.adx/demo``.

A good merge is delivered, a bad one is found and restored, and one that is bad
for a single tenant is delivered to all others, as is a migration that one
tenant's schema cannot take; a service changes its release while it is used.
Each is proved by reading the cluster and the ledger.
Exit status 0 only if all of it was so.
"""

from __future__ import annotations

import shutil
import sys
import time

from scripts.demo.cluster import Looked, look
from scripts.demo.databases import tell_migration
from scripts.demo.fleet import tell_fleet
from scripts.demo.releases import tell_releases
from scripts.demo.remote import ENVIRONMENT, ROOT, Remote
from scripts.demo.service import Service
from scripts.demo.telling import DELIVERED, FOLDER, HOME, Story, adx, announce, console

SERVICE, TENANT = "frontend", "quayside-books"
NEXT = {
    "Once, for the commands below:": ("source .venv/bin/activate", "export ADX_HOME={home} ADX_REPO={work}"),
    "Look further:": (
        "adx history {env}",
        "adx migrate status {env}",
        "adx explain tenants/quayside-books.yaml",
        "adx logs worker",
    ),
    "Deliver a change of your own, say more pods for a tenant:": (
        "${{EDITOR:-vi}} {work}/tenants/quayside-books.yaml",
        "git -C {work} commit --all --message 'More room'",
        "adx preview --base HEAD~1 --head HEAD    # what a reviewer would see",
        "git -C {work} push origin HEAD:main",
        "adx deploy {env} --watch",
    ),
    "Then break something: a version that ends in -broken never becomes ready, and is restored.": (),
    "End it:": ("adx down",),
}
"""What the last lines say."""


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
    tell_fleet(story, remote, good)
    tell_migration(story, remote)
    tell_releases(story, remote)
    tell_what_next(story, remote)
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
    with Service(FOLDER / "mounted", old.objects) as service:
        was_on = service.is_on(flag)
        announce(commit)
        console.print("  pushed; a signed push event is on its way to the webhook receiver")
        status = adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))
        now = look(HOME, ENVIRONMENT)
        service.mount(now.objects)
        is_on = service.is_on(flag)

    story.proof(f"the rollout says it delivered {commit[:12]}", status == DELIVERED)
    story.proof("the ledger says the same", now.delivered_commit == commit)
    story.proof(
        f"the cluster has a namespace for {TENANT}", now.has_namespace(TENANT) and not old.has_namespace(TENANT)
    )
    story.proof(f"{SERVICE} runs v0.10.6, no longer {before}", now.image_of(SERVICE).endswith(":v0.10.6"))
    is_read = (was_on, is_on) in {(True, False), (False, True)}
    story.proof(
        f"a running service reads {flag} through OpenFeature: {_word(is_on)}, no longer {_word(was_on)}", is_read
    )
    return now


def tell_bad_merge(story: Story, remote: Remote, good: Looked) -> None:
    """A version whose pods never become ready: found, restored, proved object by object."""
    story.chapter("3. A bad merge: a version whose pods never become ready")
    remote.set_version(ENVIRONMENT, SERVICE, "v0.11.0-broken")
    commit = remote.merge(f"{SERVICE} v0.11.0-broken")
    announce(commit)
    adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))

    now = look(HOME, ENVIRONMENT)
    story.proof("the rollout failed and was restored", now.last is not None and now.last.status == "restored")
    same = sum(1 for name, digest in good.digests.items() if now.digests.get(name) == digest)
    is_same = now.digests == good.digests
    story.proof(f"the cluster is exactly as before: {same} of {len(good.digests)} objects equal, none new", is_same)
    story.proof("the ledger still says the good commit", now.delivered_commit == good.delivered_commit)
    is_verified = now.last is not None and now.last.status == "restored" and bool(now.last.restore_verified)
    story.proof("the ledger says: restored, and verified", is_verified)
    story.proof(f"{commit[:12]} is quarantined", commit in now.quarantined)
    branch = f"adx/revert-{ENVIRONMENT}-{commit[:12]}"
    is_prepared = branch in remote.git("ls-remote", "--heads", "origin")
    story.proof("a revert is prepared on a branch of its own", is_prepared)
    if is_prepared:
        remote.merge_branch(branch)
        console.print("  the revert is merged: what is declared is what runs again")


def _word(is_on: bool | None) -> str:
    return "unreadable" if is_on is None else "on" if is_on else "off"


def tell_what_next(story: Story, remote: Remote) -> None:
    """Where to look further, what to try, and how to end it."""
    seconds = time.monotonic() - story.started
    verdict = "[green]all of it was verified[/green]" if not story.failed else f"[red]{len(story.failed)} failed[/red]"
    console.print(f"\n[bold]Done in {seconds:.0f} s: {verdict}.[/bold] The stack is still running.")
    home, work = HOME.relative_to(ROOT), remote.work.relative_to(ROOT)
    for heading, lines in NEXT.items():
        console.print(f"\n{heading}")
        for line in lines:
            console.print(f"  {line.format(home=home, work=work, env=ENVIRONMENT)}", soft_wrap=True)


def clear_away() -> None:
    """End and remove what an earlier demo left."""
    if HOME.exists():
        adx("down", quiet=True)
        shutil.rmtree(HOME)


if __name__ == "__main__":
    sys.exit(main())
