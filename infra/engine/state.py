"""Pulumi's exported state: reading it, counting what a crash left under way, and telling damage from health.

The shape is that of ``pulumi stack export``: ``{"version": 3, "deployment": {…}}``.
For a file backend the stored checkpoint is read directly, which spares a process.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from infra.engine.locks import backend_folder
from infra.engine.settings import EngineSettings
from infra.errors import DamagedState

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
STACK_TYPE = "pulumi:pulumi:Stack"
NEXT_STEP = "restore it from the last good snapshot (`adx rollback`); nothing in the cluster is lost"


class Resource(msgspec.Struct, rename="camel"):
    """What links a resource to the others."""

    urn: str
    type: str
    id: str = ""
    custom: bool = False
    delete: bool = False
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = []
    inputs: dict[str, Any] = {}


class Operation(msgspec.Struct):
    """Something that was under way when the state was last written."""

    resource: Resource
    type: str


class Deployment(msgspec.Struct):
    """The part of a state that is judged here. ``resources`` are in the order of creation."""

    resources: list[Resource] = []
    pending_operations: list[Operation] = []


class Export(msgspec.Struct):
    """The outermost shape of an exported state."""

    version: int
    deployment: Deployment | None = None


class DeliveredUnit(msgspec.Struct, frozen=True):
    """One unit in the outputs of a stack: the digest of its inputs, and the commit that brought them."""

    digest: str
    commit: str


class Delivered(msgspec.Struct, frozen=True):
    """The outputs of a stack: the commit that was applied last, and its units by id."""

    commit: str = ""
    units: dict[str, DeliveredUnit] = {}


class _WithOutputs(msgspec.Struct):
    """A resource of which only the outputs count, undecoded: a large stack has thousands that nobody asks for."""

    type: str
    outputs: msgspec.Raw = msgspec.Raw(b"")


class _OutputsOfAll(msgspec.Struct):
    resources: list[_WithOutputs] = []


class _Outputs(msgspec.Struct):
    deployment: _OutputsOfAll | None = None


class Checkpoint(msgspec.Struct):
    """The outermost shape of a stored state, its content untouched."""

    version: int
    checkpoint: dict[str, msgspec.Raw]


def parse(export: bytes) -> Deployment:
    """The deployment in an exported state; raises DamagedState when it is none, or its links are broken."""
    try:
        deployment = msgspec.json.decode(export, type=Export).deployment or Deployment()
    except msgspec.DecodeError as error:
        raise DamagedState(f"the state is not a Pulumi state: {error}", next_step=NEXT_STEP) from error
    broken = next(broken_links(deployment.resources), None)
    if broken is not None:
        raise DamagedState(f"the state is damaged: {broken}", next_step=NEXT_STEP)
    return deployment


def delivered(export: bytes) -> Delivered:
    """What the stack says it was last given; empty for a stack that was never applied. Raises DamagedState."""
    try:
        deployment = msgspec.json.decode(export, type=_Outputs).deployment
        found = (
            next((one.outputs for one in deployment.resources if one.type == STACK_TYPE), None) if deployment else None
        )
        return msgspec.json.decode(found, type=Delivered) if found else Delivered()
    except msgspec.DecodeError as error:
        raise DamagedState(f"the state is not a Pulumi state: {error}", next_step=NEXT_STEP) from error


def broken_links(resources: list[Resource]) -> Iterator[str]:
    """What is wrong between the resources: each may refer only to earlier ones, and each live URN stands once."""
    seen: set[str] = set()
    for resource in resources:
        if resource.urn in seen and not resource.delete:
            yield f"{resource.urn} stands in it twice"
        references = [resource.parent, resource.provider.rpartition("::")[0], *resource.dependencies]
        for reference in filter(None, references):
            if reference not in seen:
                yield f"{resource.urn} refers to {reference}, which is not before it"
        seen.add(resource.urn)


def stored_path(settings: EngineSettings, stack: str) -> Path | None:
    """The file that holds the state of ``stack``; None when there is none, or the backend keeps no files."""
    root = backend_folder(settings)
    if root is None:
        return None
    base = root / ".pulumi" / "stacks" / settings.project
    candidates = [base / f"{stack}.json{extension}" for extension in (".zst", ".gz", "")]
    return next((path for path in candidates if path.exists()), None)


def drop_cut_attributes(settings: EngineSettings, stack: str) -> None:
    """Delete files of attributes beside the stored state that a kill has cut off; nobody may hold the stack's lock.

    Pulumi's file backend keeps content type and digest beside each file
    (gocloud.dev, fileblob) and writes them before the state itself. It refuses a
    sound state when they cannot be read, and needs them not at all.
    """
    path = stored_path(settings, stack)
    for attributes in path.parent.glob(f"{path.name}*.attrs") if path is not None else ():
        try:
            msgspec.json.decode(attributes.read_bytes())
        except msgspec.DecodeError:
            attributes.unlink(missing_ok=True)


def export_stored(path: Path) -> bytes:
    """The stored state in the shape of ``pulumi stack export``; raises DamagedState."""
    try:
        stored = msgspec.json.decode(decompress(path.read_bytes()), type=Checkpoint)
        latest = stored.checkpoint.get("latest", msgspec.Raw(b"null"))
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, msgspec.DecodeError) as error:
        raise DamagedState(f"the stored state {path} cannot be read: {error}", next_step=NEXT_STEP) from error
    return b'{"version":%d,"deployment":%s}' % (stored.version, bytes(latest))


def decompress(data: bytes) -> bytes:
    """``data`` as it was before Pulumi compressed it, if it did."""
    if data.startswith(ZSTD_MAGIC):
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
