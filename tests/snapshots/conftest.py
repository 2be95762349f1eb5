"""Stores on the real servers; every test has an owner of its own."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hvac
import pytest

from tests.support.local_stack import S3Server, VaultServer
from workflows.snapshots import SnapshotStore, open_store

Environ = dict[str, str]


def new_key() -> str:
    """A key as it stands in a key file."""
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def owner() -> str:
    return f"test-{uuid.uuid4().hex[:12]}/tenant/acme"


@pytest.fixture
def s3_environ(s3_server: S3Server) -> Environ:
    """Settings of a store in the S3 server's bucket, under a prefix of this test's own."""
    address = f"s3://{s3_server.bucket}/{uuid.uuid4().hex}"
    return {**s3_server.environment, "ADX_SNAPSHOT_STORE": address, "ADX_SNAPSHOT_KEY": new_key()}


@pytest.fixture
def vault_environ(vault_server: VaultServer, tmp_path: Path) -> Environ:
    """Settings of a store in a directory whose keys are wrapped by a transit key of this test's own."""
    environ = dict(vault_server.environment)
    client = vault_client(environ)
    name = f"test-{uuid.uuid4().hex}"
    client.secrets.transit.create_key(name=name)
    return {**environ, "ADX_SNAPSHOT_STORE": tmp_path.as_uri(), "ADX_SNAPSHOT_VAULT_KEY": name}


def vault_client(environ: Mapping[str, str]) -> Any:
    """Vault with the rights of an operator."""
    return hvac.Client(url=environ["VAULT_ADDR"], token=environ["VAULT_TOKEN"])


@pytest.fixture(params=["directory", "s3"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Environ:
    """Settings of a store: once in a directory, once in S3."""
    if request.param == "s3":
        return request.getfixturevalue("s3_environ")  # type: ignore[no-any-return] # as declared above
    return {"ADX_SNAPSHOT_STORE": (tmp_path / "snapshots").as_uri(), "ADX_SNAPSHOT_KEY": new_key()}


@pytest.fixture
def store(environ: Environ) -> SnapshotStore:
    return open_store(environ)
