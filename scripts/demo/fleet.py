"""A chapter of the demo: a change of every tenant, which the cluster refuses for one of them."""

from __future__ import annotations

from scripts.demo.cluster import Looked, look
from scripts.demo.refusing import capped
from scripts.demo.remote import ENVIRONMENT, Remote
from scripts.demo.telling import HOME, Story, adx, announce, console

UNLUCKY = "casa-oliva"
MORE_PODS = 2


def tell_fleet(story: Story, remote: Remote, before: Looked) -> None:
    """Wave by wave; one tenant is restored while the others move on."""
    story.chapter("4. A change of every tenant, in waves; the cluster refuses it for one of them")
    remote.raise_pods(MORE_PODS)
    commit = remote.merge(f"{MORE_PODS} more pods for every tenant")
    console.print("  what the reviewer of the pull request saw:")
    adx("preview", "--base", "HEAD~1", "--head", "HEAD", "--environment", ENVIRONMENT, "--repo", str(remote.work))
    namespace = before.namespace_of(UNLUCKY)
    console.print(f"  an administrator of the cluster has capped the pods of {namespace}, which Git does not know")
    with capped(HOME, namespace):
        announce(commit)
        adx("deploy", ENVIRONMENT, "--ref", commit, "--watch", "--repo", str(remote.work))
    prove(story, before, look(HOME, ENVIRONMENT), commit)


def prove(story: Story, before: Looked, now: Looked, commit: str) -> None:
    """Read from the cluster and the ledger: who is new, who is what it was."""
    outcome = now.last.status if now.last is not None else "nothing"
    is_partly = outcome == "partly-delivered" and now.delivered_commit == commit
    story.proof(f"the ledger says: {commit[:12]} is partly delivered", is_partly)
    others = [tenant for tenant in before.tenants() if tenant != UNLUCKY]
    moved = [one for one in others if now.pods_of(one) == before.pods_of(one) + MORE_PODS]
    story.proof(f"the cluster gives {MORE_PODS} more pods to {len(moved)} of {len(others)} others", moved == others)
    known, kept = now.objects_of(UNLUCKY), before.objects_of(UNLUCKY)
    story.proof(f"{UNLUCKY} is exactly as before: {len(kept)} objects equal, none new", bool(kept) and known == kept)
    statuses = [now.statuses.get(f"tenant/{tenant}") for tenant in others]
    is_each_known = now.statuses.get(f"tenant/{UNLUCKY}") == "restored" and set(statuses) == {"applied"}
    story.proof(f"the ledger says of each tenant what it is: {UNLUCKY} restored, the others applied", is_each_known)
