"""Semantic versions of services, as https://semver.org/spec/v2.0.0.html has them. Pure.

The tag of an image is not a semantic version: ``7.4.2-alpine`` is a build of
7.4.2, and would be a pre-release of it. So a service can say which version it
is (``semantic_version``); where it says nothing, its tag counts when it reads
as one, with or without a ``v`` in front.
"""

from __future__ import annotations

from semver import Version

from policies.services.spec import ServiceSpec


def version_of(text: str) -> Version | None:
    """The semantic version that ``text`` is, the whole of it; None when it is none."""
    return Version.parse(text) if Version.is_valid(text) else None


def release_of(service: ServiceSpec) -> Version | None:
    """What of the service is compared; None when neither ``semantic_version`` nor the tag is a semantic version."""
    if service.semantic_version is not None:
        return version_of(service.semantic_version)
    return version_of(service.version.removeprefix("v"))


def is_lower(one: Version, other: Version) -> bool:
    """Whether ``one`` precedes ``other``; build metadata does not count."""
    return one.compare(other) < 0
