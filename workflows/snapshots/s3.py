"""Bodies in an S3 bucket: ``<prefix>/<owner's folder>/<digest>``.

An S3 object appears whole or not at all. The SHA-256 of the body travels with
it, so that a damaged upload is refused by the server; boto3 tries again on 503
and on lost connections.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from workflows.clients import s3
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError
from workflows.snapshots.errors import SnapshotStoreMisconfigured, SnapshotStoreTimedOut, SnapshotStoreUnreachable
from workflows.snapshots.naming import SnapshotEntry, is_digest


class S3Bodies:
    """Bodies under ``prefix`` of ``bucket``; ``client`` is boto3's, as ``workflows.clients.s3`` makes it."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def write(self, folder: str, digest: str, body: bytes) -> None:
        """Put the object, with its checksum."""
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with _own_errors():
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(folder, digest),
                Body=body,
                ContentType="application/octet-stream",
                ChecksumSHA256=checksum,
            )

    def read(self, folder: str, digest: str) -> bytes | None:
        """The whole object; a connection lost on the way is an error, never a short body."""
        try:
            with _own_errors():
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(folder, digest))
                body: bytes = answer["Body"].read()
        except s3.ObjectNotFound:
            return None
        return body

    def exists(self, folder: str, digest: str) -> bool:
        """Whether the object is there."""
        try:
            with _own_errors():
                self._client.head_object(Bucket=self._bucket, Key=self._key(folder, digest))
        except s3.ObjectNotFound:
            return False
        return True

    def delete(self, folder: str, digest: str) -> None:
        """Delete the object; S3 does not mind if there is none."""
        with _own_errors():
            self._client.delete_object(Bucket=self._bucket, Key=self._key(folder, digest))

    def entries(self, folder: str) -> tuple[SnapshotEntry, ...]:
        """All objects of the folder, page by page."""
        start = self._key(folder, "")
        with _own_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
            found = [_entry(item, start) for page in pages for item in page.get("Contents", ())]
        whole = (entry for entry in found if is_digest(entry.digest))
        return tuple(sorted(whole, key=lambda entry: entry.digest))

    def _key(self, folder: str, digest: str) -> str:
        return f"{self._prefix}{folder}/{digest}"


@contextmanager
def _own_errors() -> Iterator[None]:
    try:
        with s3.translated():
            yield
    except s3.ObjectNotFound:
        raise
    except AdxConnectionError as error:
        raise SnapshotStoreUnreachable(str(error), next_step=error.next_step) from error
    except AdxTimeoutError as error:
        raise SnapshotStoreTimedOut(str(error), next_step=error.next_step) from error
    except AdxValidationError as error:
        raise SnapshotStoreMisconfigured(str(error), next_step=error.next_step) from error


def _entry(item: dict[str, Any], start: str) -> SnapshotEntry:
    return SnapshotEntry(
        digest=item["Key"].removeprefix(start),
        stored_at=item["LastModified"].astimezone(UTC),
        size_bytes=item["Size"],
    )
