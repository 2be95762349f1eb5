"""From settings to a snapshot store. Reads variables and the key file; contacts no server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workflows.snapshots.bodies import BodyStore
from workflows.snapshots.directory import DirectoryBodies
from workflows.snapshots.errors import SnapshotStoreMisconfigured
from workflows.snapshots.keys import KeyRing, KeySource, TransitKeys, parse_keys, read_key_file
from workflows.snapshots.store import SnapshotStore


def open_store(environ: Mapping[str, str]) -> SnapshotStore:
    """The store that ``ADX_SNAPSHOT_STORE`` names, with the keys that are set.

    ``ADX_SNAPSHOT_VAULT_KEY``, ``ADX_SNAPSHOT_KEY_FILE``, ``ADX_SNAPSHOT_KEY``:
    the first that is set encrypts, the others still decrypt. Raises
    SnapshotStoreMisconfigured, or SnapshotKeyMissing where no key is set.
    """
    return SnapshotStore(open_bodies(environ), open_keys(environ))


def open_keys(environ: Mapping[str, str]) -> KeyRing:
    """All configured keys. Raises SnapshotKeyMissing."""
    sources: list[KeySource] = []
    if name := environ.get("ADX_SNAPSHOT_VAULT_KEY"):
        # hvac costs 20 MB: only loaded where Vault is used.
        from workflows.clients.vault.data_keys import DataKeys  # noqa: PLC0415

        sources.append(TransitKeys(DataKeys.from_settings(environ, name)))
    if path := environ.get("ADX_SNAPSHOT_KEY_FILE"):
        sources.append(read_key_file(Path(path)))
    if keys := environ.get("ADX_SNAPSHOT_KEY"):
        sources.append(parse_keys(keys, "ADX_SNAPSHOT_KEY"))
    return KeyRing(sources)


def open_bodies(environ: Mapping[str, str]) -> BodyStore:
    """The place that ``ADX_SNAPSHOT_STORE`` names. Raises SnapshotStoreMisconfigured."""
    address = urlsplit(environ.get("ADX_SNAPSHOT_STORE", ""))
    if address.scheme == "file" and address.netloc in ("", "localhost") and address.path.startswith("/"):
        return DirectoryBodies(Path(unquote(address.path)))
    if address.scheme == "s3" and address.netloc:
        return _open_s3(environ, address.netloc, address.path)
    raise SnapshotStoreMisconfigured(
        "ADX_SNAPSHOT_STORE names no place for snapshots", next_step="set it to file:///directory or s3://bucket/prefix"
    )


def _open_s3(environ: Mapping[str, str], bucket: str, prefix: str) -> BodyStore:
    # boto3 costs 26 MB: only loaded where S3 is used.
    from workflows.clients import s3  # noqa: PLC0415
    from workflows.snapshots.s3 import S3Bodies  # noqa: PLC0415

    return S3Bodies(s3.open_client(environ), bucket, prefix)
