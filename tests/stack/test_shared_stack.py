"""The fixtures that other tests build on: real servers, reached through the settings alone."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

import boto3
import hvac
import psycopg
import pymysql
import pytest
import redis
from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import Node

from tests.support.local_stack import LocalStack, S3Server, VaultServer


def test_kubeconfig_leads_to_a_cluster_with_ready_nodes(local_stack: LocalStack) -> None:
    """The one context of the kubeconfig works with any client."""
    config = KubeConfig.from_file(str(local_stack.kubeconfig)).get(context_name=local_stack.kube_context)
    with Client(config=config) as client:
        nodes = list(client.list(Node))
    ready = {node.metadata.name: {c.type: c.status for c in node.status.conditions}["Ready"] for node in nodes}
    assert set(ready.values()) == {"True"}
    assert len(ready) == 3


def test_temporal_address_leads_to_a_serving_front_end(local_stack: LocalStack) -> None:
    """The namespace that workers use exists."""
    port = local_stack.stack.port("temporal", "http")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/namespaces/default") as answer:
        assert answer.status == 200


def test_ledger_url_is_an_empty_database_of_an_ordinary_role(ledger_url: str) -> None:
    """No tables, no superuser, and the right to make tables."""
    with psycopg.connect(ledger_url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        superuser = connection.execute("SELECT current_setting('is_superuser')").fetchone()
        connection.execute("CREATE TABLE proof (id int)")
    assert tables == (0,)
    assert superuser == ("off",)


def test_s3_server_keeps_objects_and_refuses_strangers(s3_server: S3Server) -> None:
    """A real client with the right key may write and read; another key may not."""
    client = _s3_client(s3_server, s3_server.secret_key)
    client.put_object(Bucket=s3_server.bucket, Key="proof/object", Body=b"content")
    assert client.get_object(Bucket=s3_server.bucket, Key="proof/object")["Body"].read() == b"content"

    stranger = _s3_client(s3_server, "0" * 40)
    with pytest.raises(stranger.exceptions.ClientError) as refused:
        stranger.list_objects_v2(Bucket=s3_server.bucket)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def _s3_client(server: S3Server, secret_key: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
    )


def test_redis_answers_only_who_knows_the_password(redis_url: str) -> None:
    """What was set is read again; a stranger is refused."""
    with redis.Redis.from_url(redis_url) as client:
        client.set("proof", "kept")
        assert client.get("proof") == b"kept"
    address = urlsplit(redis_url)
    with redis.Redis(address.hostname or "", address.port or 0) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("proof")


def test_mariadb_url_is_an_empty_database_on_a_server_that_knows_its_clients(mariadb_url: str) -> None:
    """Tables can be made; a wrong password is refused."""
    address = urlsplit(mariadb_url)
    place = {"host": address.hostname, "port": address.port, "database": address.path.strip("/")}
    with pymysql.connect(user="root", password=address.password or "", **place) as db, db.cursor() as cursor:
        cursor.execute("CREATE TABLE proof (id int)")
        cursor.execute("SHOW TABLES")
        assert cursor.fetchall() == (("proof",),)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(user="root", password="wrong", **place)


def test_vault_server_encrypts_with_its_transit_key(vault_server: VaultServer) -> None:
    """What the transit key encrypts it decrypts again."""
    client = hvac.Client(url=vault_server.address, token=vault_server.token)
    transit = client.secrets.transit
    sealed = transit.encrypt_data(name=vault_server.transit_key, plaintext="c2VjcmV0")["data"]["ciphertext"]
    assert transit.decrypt_data(name=vault_server.transit_key, ciphertext=sealed)["data"]["plaintext"] == "c2VjcmV0"
