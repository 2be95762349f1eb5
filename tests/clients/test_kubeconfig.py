"""Kubeconfigs: what is dangerous is refused with a reason, what is secret is never repeated."""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.support.accepting import accepted
from workflows.clients.kubernetes import Cluster, kubeconfig
from workflows.clients.kubernetes.addresses import check_server, is_metadata_service
from workflows.clients.kubernetes.credentials import TokenAuth, tls_of
from workflows.clients.kubernetes.errors import ClusterUnreachable, KubeconfigRefused

CANARY = "canary-31c9"
SERVER = "https://127.0.0.1:6443"


def write(folder: Path, *, name: str = "config", context: str = "c", **parts: Any) -> str:
    """A kubeconfig with one context; ``cluster`` and ``user`` are its parts."""
    content = {
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "clusters": [{"name": context, "cluster": {"server": SERVER} | parts.get("cluster", {})}],
        "users": [{"name": context, "user": parts.get("user", {"token": "t"})}],
    }
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)


def test_the_current_context_is_the_default(tmp_path: Path) -> None:
    access = kubeconfig.load(write(tmp_path), None, {})

    assert (access.server, access.token) == (SERVER, "t")


def test_several_files_are_one_and_the_first_wins(tmp_path: Path) -> None:
    first = write(tmp_path, name="first", user={"token": "first"})
    second = write(tmp_path, name="second", user={"token": "second"})
    other = write(tmp_path, name="third", context="other", user={"token": "other"})
    paths = os.pathsep.join((first, second, other))

    assert kubeconfig.load(paths, None, {}).token == "first"
    assert kubeconfig.load(paths, "other", {}).token == "other"


def test_an_unknown_context_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigRefused, match="no context 'prod'; it has: c"):
        kubeconfig.load(write(tmp_path), "prod", {})


def test_certificates_may_be_inline_or_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"PEM")
    inline = base64.b64encode(b"INLINE").decode()

    access = kubeconfig.load(
        write(tmp_path, cluster={"certificate-authority": "ca.pem"}, user={"client-key-data": inline}), None, {}
    )

    assert (access.ca, access.client_key) == ("PEM", b"INLINE")


REFUSED = {
    "a program that is run": {"user": {"exec": {"command": "/tmp/steal", "apiVersion": "v1"}}},
    "TLS switched off": {"cluster": {"insecure-skip-tls-verify": True}},
    "an auth provider": {"user": {"auth-provider": {"name": "gcp"}}},
    "a password": {"user": {"username": "admin", "password": CANARY}},
    "a certificate that is not there": {"user": {"client-certificate": "none.pem"}},
    "a certificate that is not base64": {"user": {"client-key-data": CANARY + "!"}},
}


@pytest.mark.parametrize("parts", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_dangerous_or_wrong_is_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    with pytest.raises(KubeconfigRefused) as caught:
        await Cluster.connect(write(tmp_path, **parts), environ={})

    assert CANARY not in _everything(caught.value)


def test_why_a_program_is_refused_and_how_to_allow_it_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, user={"exec": {"command": "aws", "apiVersion": "v1"}})

    with pytest.raises(KubeconfigRefused, match="could run anything") as caught:
        kubeconfig.load(path, None, {"ADX_ALLOW_KUBECONFIG_EXEC": "yes"})
    assert "ADX_ALLOW_KUBECONFIG_EXEC=1" in caught.value.next_step


async def test_an_allowed_program_gives_the_token(tmp_path: Path) -> None:
    script = "import os; print(open(os.environ['ANSWER']).read())"
    answer = tmp_path / "answer"
    answer.write_text(json.dumps({"kind": "ExecCredential", "status": {"token": CANARY}}))
    env = [{"name": "ANSWER", "value": str(answer)}]
    user = {"exec": {"command": sys.executable, "args": ["-c", script], "env": env, "apiVersion": "v1"}}

    access = kubeconfig.load(write(tmp_path, user=user), None, {"ADX_ALLOW_KUBECONFIG_EXEC": "1"})

    assert await TokenAuth(access)._get(None) == CANARY
    answer.write_text("no JSON")
    with pytest.raises(KubeconfigRefused, match="printed no token"):
        await TokenAuth(access)._get(None)


@pytest.mark.parametrize("content", ["", "[]", "{", "a: *nobody", f"token: !!python/object:os.system {CANARY}"])
def test_a_file_that_is_no_kubeconfig_is_refused_without_quoting_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(KubeconfigRefused) as caught:
        kubeconfig.load(str(path), None, {})
    assert CANARY not in _everything(caught.value)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("x" * (kubeconfig.LARGEST_FILE_BYTES + 1))

    with pytest.raises(KubeconfigRefused, match="larger"):
        kubeconfig.load(str(path), None, {})


def test_credentials_do_not_show(tmp_path: Path) -> None:
    access = kubeconfig.load(write(tmp_path, user={"token": CANARY, "client-key-data": "Y2FuYXJ5"}), None, {})

    assert repr(access) == f"Access({SERVER})"


def test_a_certificate_that_is_none_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    access = kubeconfig.Access(server=SERVER, client_certificate=b"x", client_key=b"y")

    with pytest.raises(KubeconfigRefused):
        tls_of(access)
    assert list(tmp_path.iterdir()) == []


def test_servers_are_verified(tmp_path: Path) -> None:
    context = tls_of(kubeconfig.load(write(tmp_path), None, {}))

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    "address",
    [
        "https://169.254.169.254",
        "https://169.254.170.2/v2",
        "https://[fe80::1]",
        "https://[fd00:ec2::254]",
        "https://[::ffff:169.254.169.254]",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://100.100.100.200",
    ],
)
async def test_a_metadata_service_is_never_a_cluster(address: str) -> None:
    with pytest.raises(KubeconfigRefused, match="metadata service"):
        await check_server(address)


@pytest.mark.parametrize("address", ["", "127.0.0.1:6443", "ftp://127.0.0.1", "file:///etc/passwd", "http://10.0.0.1"])
async def test_an_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(KubeconfigRefused):
        await check_server(address)


@pytest.mark.parametrize("address", ["https://10.0.0.1:6443", "https://[2001:db8::1]", "http://127.0.0.1:8001"])
async def test_an_ordinary_address_is_accepted(address: str) -> None:
    with accepted():
        await check_server(address)


async def test_a_name_that_nobody_knows_is_a_connection_error() -> None:
    with pytest.raises(ClusterUnreachable):
        await check_server("https://no-such-host.invalid")


def test_an_ordinary_address_is_no_metadata_service() -> None:
    assert not any(map(is_metadata_service, ("127.0.0.1", "10.96.0.1", "::1", "2001:db8::1")))


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__dict__)
