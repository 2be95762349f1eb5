"""Versions that would be lower than what they replace. Pure."""

from __future__ import annotations

from policies.services.spec import ServiceSpec
from policies.services.versions import is_lower, release_of

RULE = "services.version-lowered"
# What somebody does who really wants it.
WAY_OUT = (
    "raise the version; or say which one it is, where the tag does not: semantic_version of the service; "
    "or say why it is lowered: allow_downgrade of the service, with a reason of its own"
)


def lowering(before: ServiceSpec, after: ServiceSpec) -> str | None:
    """What is wrong with ``after`` in the place of ``before``; None where it is not lower, or says anew why.

    Only semantic versions are compared; what follows MAJOR.MINOR.PATCH in a
    tag is not: ``v1.4.2-1-g3f2a1b0`` is a later build of ``v1.4.2``, and not
    its pre-release. A reason that ``before`` has already was for an earlier
    time: else a reason once given would allow everything.
    """
    old, new = release_of(before), release_of(after)
    if old is None or new is None or not is_lower(new, old):
        return None
    is_told_by_tag = before.semantic_version is None or after.semantic_version is None
    if is_told_by_tag and old.finalize_version() == new.finalize_version():
        return None
    lowered = f"{after.name} would be lowered from {old} to {new}"
    if after.allow_downgrade is None:
        return f"{lowered} without saying so"
    if after.allow_downgrade == before.allow_downgrade:
        return f"{lowered}; its allow_downgrade is that of {old} already, and counts once"
    return None
