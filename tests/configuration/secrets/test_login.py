"""Logins to a real Vault: tokens and AppRole. Kubernetes, which a small build of Vault lacks, on a scripted one."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hvac
import pytest
from hvac import exceptions

from tests.configuration.secrets.conftest import Environ
from tests.support.configuration import key
from workflows.clients.vault.errors import VaultDenied, VaultRefused, VaultTokenExpired
from workflows.clients.vault.login import KubernetesLogin, TokenKeeper, TokenLogin, login_from_settings
from workflows.clients.vault.session import VaultSession
from workflows.configuration.secrets import Opener, Sealer, open_secrets

TOKEN = key("TOKEN")


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def approle(operator: Any, environ: Environ, tmp_path: Path) -> Iterator[Environ]:
    """Settings of a login by AppRole whose policy allows the transit key and nothing else."""
    name, mount = environ["ADX_CONFIGURATION_VAULT_KEY"], f"approle-{uuid.uuid4().hex[:8]}"
    rules = f'path "transit/encrypt/{name}" {{ capabilities = ["update"] }}\n'
    rules += f'path "transit/decrypt/{name}" {{ capabilities = ["update"] }}\n'
    operator.sys.create_or_update_policy(name=name, policy=rules)
    operator.sys.enable_auth_method("approle", path=mount)
    role = operator.auth.approle
    role.create_or_update_approle("adx", token_policies=[name], token_ttl="10m", mount_point=mount)
    file = tmp_path / "secret-id"
    file.write_text(role.generate_secret_id("adx", mount_point=mount)["data"]["secret_id"] + "\n")
    yield {
        "VAULT_ADDR": environ["VAULT_ADDR"],
        "ADX_CONFIGURATION_VAULT_KEY": name,
        "ADX_VAULT_ROLE_ID": role.read_role_id("adx", mount_point=mount)["data"]["role_id"],
        "ADX_VAULT_SECRET_ID_FILE": str(file),
        "ADX_VAULT_APPROLE_MOUNT": mount,
    }
    operator.sys.disable_auth_method(mount)


async def test_approle_opens_secrets(approle: Environ) -> None:
    """With a policy that allows two paths."""
    text = Sealer.from_settings(approle).seal(TOKEN, "canary")

    assert await open_secrets(Opener.from_settings(approle), {TOKEN: text}) == {TOKEN: "canary"}


async def test_a_revoked_token_is_replaced_by_a_new_login(operator: Any, approle: Environ) -> None:
    """The caller notices nothing; the secret id is read again, as it may be another one."""
    text = Sealer.from_settings(approle).seal(TOKEN, "canary")
    opener = Opener.from_settings(approle)
    await open_secrets(opener, {TOKEN: text})
    operator.sys.revoke_prefix(f"auth/{approle['ADX_VAULT_APPROLE_MOUNT']}")

    assert await open_secrets(opener, {TOKEN: text}) == {TOKEN: "canary"}


async def test_a_secret_id_that_is_used_up_is_no_login(operator: Any, approle: Environ) -> None:
    """And the message shows neither id."""
    Path(approle["ADX_VAULT_SECRET_ID_FILE"]).write_text("canary-secret-id")

    with pytest.raises(VaultRefused) as caught:
        await Opener.from_settings(approle).open({TOKEN: "vault:v1:" + "A" * 64})
    assert "canary" not in str(caught.value)
    assert approle["ADX_VAULT_ROLE_ID"] not in str(caught.value)


def test_a_token_is_renewed_when_a_third_of_its_life_is_left(operator: Any, environ: Environ) -> None:
    """Vault itself tells that it lives longer; before that nobody asks."""
    token = operator.auth.token.create(ttl="100s", renewable=True, policies=["default"])["auth"]["client_token"]
    clock, client = Clock(), hvac.Client(url=environ["VAULT_ADDR"])
    keeper = TokenKeeper(TokenLogin(token), clock)
    assert keeper.token(client) == token
    renewals: list[str] = []
    renew = client.auth.token.renew_self

    def counted(*arguments: Any, **named: Any) -> Any:
        renewals.append("renewed")
        return renew(*arguments, **named)

    client.auth.token.renew_self = counted
    clock.now += 60
    keeper.token(client)
    assert renewals == []
    clock.now += 10
    keeper.token(client)
    assert renewals == ["renewed"]
    clock.now += 60
    keeper.token(client)
    assert renewals == ["renewed"]


def test_a_token_that_cannot_be_renewed_any_more_is_replaced(operator: Any, approle: Environ) -> None:
    """At the end of what it may live at most."""
    clock, client = Clock(), hvac.Client(url=approle["VAULT_ADDR"])
    keeper = TokenKeeper(login_from_settings(approle), clock)
    first = keeper.token(client)
    operator.auth.token.revoke(first)
    clock.now += 500

    assert keeper.token(client) != first
    clock.now += 100_000
    assert keeper.token(client) != first


def test_a_given_token_that_expired_is_an_error_of_its_own(operator: Any, environ: Environ) -> None:
    """Nobody can replace it but who gave it."""
    token = operator.auth.token.create(ttl="1h")["auth"]["client_token"]
    session = VaultSession.from_settings({**environ, "VAULT_TOKEN": token})
    session.keep_alive()
    operator.auth.token.revoke(token)

    with pytest.raises(VaultTokenExpired):
        session.call("a look", lambda client: client.auth.token.lookup_self())


async def test_a_token_file_is_read_for_every_call(operator: Any, environ: Environ, tmp_path: Path) -> None:
    """Vault's agent renews it."""
    text = Sealer.from_settings(environ).seal(TOKEN, "canary")
    file = tmp_path / "token"
    file.write_text("hvs.expired")
    opener = Opener.from_settings({**environ, "VAULT_TOKEN": "", "VAULT_TOKEN_FILE": str(file)})
    with pytest.raises(VaultTokenExpired):
        await opener.open({TOKEN: text})

    file.write_text(environ["VAULT_TOKEN"] + "\n")

    assert await open_secrets(opener, {TOKEN: text}) == {TOKEN: "canary"}


def test_two_threads_outlive_one_revoked_token(operator: Any, approle: Environ) -> None:
    """The slower one asks about the token that it was refused with, and takes the new one that the other has got."""
    session = VaultSession.from_settings(approle)
    session.keep_alive()
    operator.sys.revoke_prefix(f"auth/{approle['ADX_VAULT_APPROLE_MOUNT']}")
    refused, replaced = threading.Event(), threading.Event()

    def token(client: hvac.Client) -> str:
        return str(client.auth.token.lookup_self()["data"]["id"])

    def slow_token(client: hvac.Client) -> str:
        try:
            return token(client)
        except exceptions.Forbidden:
            refused.set()
            assert replaced.wait(30)
            raise

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(session.call, "a slow look", slow_token)
        try:
            assert refused.wait(30)
            new = session.call("a look", token)
        finally:
            replaced.set()
        assert slow.result(30) == new
    assert session.call("a look", token) == new


def test_a_policy_that_allows_no_encryption_is_named(operator: Any, environ: Environ) -> None:
    """Who reads it knows which path to allow."""
    token = operator.auth.token.create(ttl="1h", policies=["default"])["auth"]["client_token"]

    with pytest.raises(VaultDenied) as caught:
        Sealer.from_settings({**environ, "VAULT_TOKEN": token}).seal(TOKEN, "canary")

    assert type(caught.value) is VaultDenied
    assert str(caught.value).startswith(
        f"Vault does not allow encryption with transit/{environ['ADX_CONFIGURATION_VAULT_KEY']}"
    )


@contextmanager
def scripted(answers: list[tuple[int, dict[str, Any]]], seen: list[tuple[str, Any]]) -> Iterator[str]:
    """The address of a server that gives these answers in turn, and notes what was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            seen.append((self.path, body))
            status, answer = answers.pop(0)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_PUT = do_POST  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_kubernetes_sends_the_service_accounts_token_of_the_moment(tmp_path: Path) -> None:
    """It is read again at every login, since the kubelet replaces it."""
    file = tmp_path / "token"
    file.write_text("first\n")
    auth = {"auth": {"client_token": "hvs.one", "lease_duration": 60, "renewable": False}}
    seen: list[tuple[str, Any]] = []
    with scripted([(200, auth), (200, auth)], seen) as address:
        clock = Clock()
        login = login_from_settings(
            {"ADX_VAULT_KUBERNETES_ROLE": "adx", "ADX_VAULT_KUBERNETES_TOKEN_FILE": str(file), "VAULT_TOKEN": "unused"}
        )
        assert isinstance(login, KubernetesLogin)
        keeper, client = TokenKeeper(login, clock), hvac.Client(url=address)

        assert keeper.token(client) == "hvs.one"
        file.write_text("second\n")
        clock.now += 50
        keeper.token(client)

    assert seen == [
        ("/v1/auth/kubernetes/login", {"jwt": "first", "role": "adx"}),
        ("/v1/auth/kubernetes/login", {"jwt": "second", "role": "adx"}),
    ]
