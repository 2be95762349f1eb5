"""Whether the name of an image names one image for ever. Pure, nothing but the standard library."""

from __future__ import annotations

# Tags that are moved to other images by habit, and the beginnings of names of branches.
_MOVING_TAGS = frozenset(
    {"latest", "stable", "edge", "main", "master", "trunk", "develop", "development", "dev", "nightly", "canary"}
    | {"head", "next", "staging", "production", "prod", "test", "release", "current", "snapshot", "beta", "alpha", "rc"}
)
_BRANCH_PREFIXES = ("feature", "fix", "bugfix", "hotfix", "release", "branch", "pr")


def why_image_is_mutable(image: str) -> str | None:
    """Why ``image`` may be another image tomorrow; None when it stays the same."""
    name, _, digest = image.partition("@")
    if digest:
        return None if digest.startswith("sha256:") else "the digest is not a sha256"
    # A colon before the last slash belongs to the port of a registry.
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if not colon or not tag:
        return "the image has no tag, which means latest"
    lowered = tag.lower()
    words = lowered.replace("_", "-").replace(".", "-").split("-")
    if lowered in _MOVING_TAGS or (words[0] in _BRANCH_PREFIXES and len(words) > 1 and not _has_digit(words[1])):
        return f"the tag {tag} names a branch or moves"
    return None if _has_digit(tag) else f"the tag {tag} has no version in it"


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
