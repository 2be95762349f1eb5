"""Image references: name, version and digest apart, and a version that names one image for ever. Pure."""

from __future__ import annotations

import re

from pipelines.importing.model import Json
from pipelines.importing.notes import Notes
from pipelines.importing.workloads import Workload

NO_VERSION = "to-be-set"
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MOVING = frozenset({"main", "master", "head", "stable", "edge", "nightly", "dev", "develop", "snapshot"})


def parts_of(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest of ``registry:5000/shop/cart:v1@sha256:…``; empty where there is none."""
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    return (head, tag, digest) if colon and "/" not in tag else (name, "", digest)


def image_of(workload: Workload, notes: Notes) -> Json:
    """``image``, ``version`` and ``image_digest``; a tag that moves is pinned to what its pods run, if all run one."""
    name, tag, digest = parts_of(str(workload.main.get("image", "")))
    place = f"spec.template.spec.containers[{workload.main['name']}].image"
    digest = digest if _DIGEST.match(digest) else ""
    if _is_fixed(tag):
        return {"image": name, "version": tag} | ({"image_digest": digest} if digest else {})
    said = f"the tag {tag or 'latest'} names no one image"
    pinned = digest or workload.digest
    if pinned:
        why = "the tag is for people, the digest decides" if digest else f"{said}: pinned to what all its pods run"
        version = tag if tag.lower() in _MOVING else f"sha256-{pinned[7:19]}"
        notes.add("changed" if digest else "guessed", place, f"{why}; write its release", at="version")
        return {"image": name, "version": version, "image_digest": pinned}
    notes.add("guessed", place, f"{said}, nor do its pods: write the tag of the release that runs", at="version")
    return {"image": name, "version": NO_VERSION}


def _is_fixed(tag: str) -> bool:
    lower = tag.lower()
    return bool(_VERSION.match(tag)) and lower not in _MOVING and "latest" not in re.split("[._-]", lower)
