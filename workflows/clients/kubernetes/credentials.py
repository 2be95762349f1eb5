"""How requests log in: bearer tokens (fixed, from a file that others renew, from an exec plugin) and certificates."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import msgspec

from workflows.clients.kubernetes.errors import KubeconfigRefused
from workflows.clients.kubernetes.kubeconfig import Access, ExecPlugin

EXEC_TIMEOUT_SECONDS = 60


class _ExecStatus(msgspec.Struct):
    token: str = ""


class _ExecCredential(msgspec.Struct):
    status: _ExecStatus


class TokenAuth(httpx.Auth):
    """Sends the token; when it is not accepted any more, gets it again and tries once more."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._token: str | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """httpx's own protocol."""
        sent = await self._get(None)
        request.headers["Authorization"] = f"Bearer {sent}"
        response = yield request
        if response.status_code == 401 and self._access.token is None:
            request.headers["Authorization"] = f"Bearer {await self._get(sent)}"
            yield request

    async def _get(self, refused: str | None) -> str:
        async with self._lock:
            if self._token is None or self._token == refused:
                self._token = await _new_token(self._access)
            return self._token


def auth_of(access: Access) -> httpx.Auth | None:
    """How requests log in; None where the client certificate alone does."""
    has_token = access.token or access.token_file or access.exec_plugin
    return TokenAuth(access) if has_token else None


def tls_of(access: Access) -> ssl.SSLContext:
    """The cluster's authority (or the system's) and the user's certificate. Raises KubeconfigRefused."""
    try:
        context = ssl.create_default_context(cadata=access.ca)
        if access.client_certificate and access.client_key:
            _load_certificate(context, access.client_certificate, access.client_key)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigRefused(f"the kubeconfig's certificates cannot be used ({type(error).__name__})") from None
    return context


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # Python's ssl reads files only. The file is readable by us alone and gone at once.
    with tempfile.NamedTemporaryFile(prefix="adx-", suffix=".pem") as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


async def _new_token(access: Access) -> str:
    if access.exec_plugin is not None:
        return await _run(access.exec_plugin)
    if access.token_file is not None:
        return await asyncio.to_thread(_read_token, access.token_file)
    return access.token or ""


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigRefused(f"the token file {path} cannot be read ({type(error).__name__})") from None


async def _run(plugin: ExecPlugin) -> str:
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environ = {**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise KubeconfigRefused(f"{plugin.command!r} cannot be run ({type(error).__name__})") from None
    output = await _output(process, plugin.command)
    try:
        token = msgspec.json.decode(output, type=_ExecCredential).status.token
    except msgspec.DecodeError:
        token = ""
    if not token:
        raise KubeconfigRefused(f"{plugin.command!r} printed no token (exit status {process.returncode})")
    return token


async def _output(process: asyncio.subprocess.Process, command: str) -> bytes:
    try:
        output, _ = await asyncio.wait_for(process.communicate(), EXEC_TIMEOUT_SECONDS)
    except TimeoutError:
        raise KubeconfigRefused(f"{command!r} printed no token within {EXEC_TIMEOUT_SECONDS} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output
