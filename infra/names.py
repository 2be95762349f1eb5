"""Names and label values that Kubernetes accepts. Pure.

Names are refused when too long, never shortened: a shortened name is another
object. Label values only describe, so those are made valid.
"""

from __future__ import annotations

import hashlib
import re

from infra.errors import NameInvalid

MAX_LENGTH = 63
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NOT_IN_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_EDGES = "-_."


def object_name(*parts: str) -> str:
    """The parts joined by ``-``; raises NameInvalid unless the result is a DNS label of at most 63 characters."""
    name = "-".join(part for part in parts if part)
    if len(name) > MAX_LENGTH:
        raise NameInvalid(
            f"the name {name!r} has {len(name)} characters; Kubernetes allows {MAX_LENGTH}",
            next_step=f"shorten {parts[0]!r} by {len(name) - MAX_LENGTH} characters in its declaration",
        )
    if not _NAME.fullmatch(name):
        raise NameInvalid(
            f"the name {name!r} is not a DNS label",
            next_step="use lower-case letters, digits and '-', beginning and ending with a letter or digit",
        )
    return name


def label_value(text: str) -> str:
    """``text`` as a valid label value; a long one keeps its beginning and gets a digest, so that it stays unique."""
    value = _NOT_IN_LABEL.sub("-", text).strip(_EDGES)
    if len(value) <= MAX_LENGTH:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{value[: MAX_LENGTH - 9].rstrip(_EDGES)}-{digest}"


def unit_label(unit_id: str) -> str:
    """The value of the label ``adx/unit``: ``service/cart`` → ``service.cart``."""
    return label_value(unit_id.replace("/", "."))


def configuration_map_name(workload: str) -> str:
    """The ConfigMap that holds the configuration of the Deployment ``workload``."""
    return object_name(workload, "configuration")


def sealed_map_name(workload: str) -> str:
    """The ConfigMap with the secrets of the Deployment ``workload`` in their forms in Git, which only Vault opens."""
    return object_name(workload, "sealed")


SEALED_DOCUMENT = "sealed.json"
FLAGS_MAP_NAME = "feature-flags"
OVERRIDES_MAP_NAME = "tenant-overrides"
