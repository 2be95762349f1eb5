"""The ten pull requests of the gallery, in the order in which they are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.example.repository import Repository
from scripts.gallery import changes
from scripts.gallery.beginning import begin

BASE = "main"


@dataclass(frozen=True)
class Scene:
    """One pull request. ``name`` is that of its files, ``branch`` of its branch.

    ``author`` says what somebody wanted, ``decision`` what a reviewer makes of it; both are Markdown.
    ``merged_before`` is what was merged and delivered since the beginning.
    """

    name: str
    title: str
    branch: str
    change: changes.Change
    author: str
    decision: str
    merged_before: changes.Change | None = None
    is_promotion: bool = False


def proposed(scene: Scene, folder: Path) -> Repository:
    """A repository in ``folder`` whose ``main`` is delivered, and whose branch is the pull request."""
    repository = Repository(folder)
    begin(repository)
    if scene.merged_before is not None:
        scene.merged_before(repository)
        repository.git("push", "--quiet", "origin", f"HEAD:{BASE}")
    propose(scene, repository)
    return repository


def propose(scene: Scene, repository: Repository) -> None:
    """Make the branch, here and on the remote, from what is checked out as ``main``; ``main`` is checked out again."""
    repository.git("checkout", "--quiet", "-b", scene.branch, BASE)
    scene.change(repository)
    repository.git("push", "--quiet", "origin", f"HEAD:{scene.branch}")
    repository.git("checkout", "--quiet", BASE)


SCENES = (
    Scene(
        name="new_tenant",
        title="A new tenant",
        branch="quayside-books",
        change=changes.add_tenant,
        author="One file more: a customer rehearses in staging before it opens.",
        decision="""\
Nothing that exists changes: one tenant comes, with a namespace of six objects and a schema that all scripts so far
make. So the review is of the file: its limits, what it may reach, who owns it. **Merge.**""",
    ),
    Scene(
        name="quota_raised",
        title="A quota raised",
        branch="lumen-flu-season",
        change=changes.raise_quota,
        author="A customer of production gets half as much again before the flu season.",
        decision="""\
Only a limit goes up, and nothing restarts for it. Two things that the diff does not say: staging has an override of
its own and stays as it is, since only `production` is named; and a person must approve the delivery once it is
merged. Whether the cluster has the room is not ADX's to know: ask who pays for it. **Merge, and approve.**""",
    ),
    Scene(
        name="version_raised",
        title="A version raised in staging",
        branch="checkout-0.10.6",
        change=changes.raise_version,
        author="The next version of one service, where it may be tried.",
        decision="""\
Two pods restart, a new one first, and nobody waits. Four tenants rehearse with this service, so they are the ones to
tell. Should the new version never become ready, the rollout restores the old one. **Merge.**""",
    ),
    Scene(
        name="promoted_to_production",
        title="Promoted to production",
        branch="adx/promote-staging-to-production",
        change=changes.promote,
        is_promotion=True,
        author="`adx promote staging production` opened this one: the versions that staging holds.",
        decision="""\
Nine services go from one version to the same next one, and the rest of production stays its own: replicas,
autoscaling, texts. Every service restarts pod by pod. The names of the five tenants are those of the people who call
when it is slow, so the approval is better given in the morning. **Merge, and approve when somebody watches.**""",
    ),
    Scene(
        name="flag_to_5_percent",
        title="A flag to 5 %",
        branch="stock-badges-5",
        change=changes.open_flag,
        author="A feature that was off for everybody is shown to one visitor in twenty.",
        decision="""\
`off → 5 %`, in one flag, in production: exactly what the title says. No pod restarts, so it is as quickly taken
back. What to ask is who looks at the figures, and when it goes on. **Merge, and approve.**""",
    ),
    Scene(
        name="secret_rotated",
        title="A secret rotated",
        branch="rotate-provider-token",
        change=changes.rotate_secret,
        author="""\
The payment provider gave out a new token. `adx config encrypt staging paymentservice PROVIDER_TOKEN --set` had Vault
encrypt it and wrote the line.""",
        decision="""\
The comment says which secret changes, and of which service; it shows neither value, not even as ciphertext. The pod
restarts to read it, so the old token must stay valid until then. Whether it is the right token, no review can see:
the service's tests after the delivery do. **Merge, and revoke the old token afterwards.**""",
    ),
    Scene(
        name="column_added",
        title="A column added",
        branch="gift-message",
        change=changes.add_column,
        author="A script of the phase *expand*, and staging raised to it.",
        decision="""\
Three databases get a column that may be empty: services that do not know it work on, it takes less than a second by
the sizes that the server counted, and the down script takes it back. No object in the cluster differs. **Merge.**""",
    ),
    Scene(
        name="column_dropped_too_early",
        title="A column dropped too early",
        branch="drop-total",
        change=changes.drop_column,
        author="The clean-up after a column that became two. Somebody forgot that a service still reads the old one.",
        decision="""\
Blocked, and the first line says by whom: the script is for services that are written for version 2 of the schema,
and `checkoutservice` is written for 1. The way out stands below it: deliver a checkoutservice with `schema_versions:
{shop: 2}` first. That rows would be lost, and that a copy is kept, is told too. A merge would change nothing: the
rollout refuses it. **Send it back.**""",
    ),
    Scene(
        name="tenant_renamed",
        title="A tenant renamed",
        branch="sunnyside-kids",
        change=changes.rename_tenant,
        author="The customer has a new name; the file and the flag that names it follow.",
        decision="""\
It looks like a rename, and to a cluster it is a deletion: the namespace of one tenant goes with everything in it,
and an empty one comes. ADX found it out by the database that both have, and refuses it in both environments.
`display_name` alone is what customers read: change that, and keep `name`. **Send it back.**""",
    ),
    Scene(
        name="revert",
        title="A revert",
        branch="revert-checkout-0.10.6",
        change=changes.revert,
        merged_before=changes.raise_version,
        author="""\
The version that [another pull request](version-raised.md) brought charges some cards twice. `git revert`, and a
second commit that says why the version goes down: without that reason ADX refuses a lowered version.""",
        decision="""\
It says of which commit it is the revert, and that the declarations bear it out: the field that it changed is as it
was, and one other changes, which is the reason. Two pods restart, a new one first. **Merge at once.**""",
    ),
)
