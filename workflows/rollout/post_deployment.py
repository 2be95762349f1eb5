"""The tests that environment.yaml declares: workload ready, HTTP check, command."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from policies.infrastructure.spec import Command, EnvironmentSpec, HttpCheck, PostDeploymentTest, WorkloadReady
from workflows.clients.direct_http import direct_client
from workflows.clients.kubernetes import Cluster
from workflows.errors import PostDeploymentTestFailed

POLL_INTERVAL_SECONDS = 0.5
BODY_LIMIT_BYTES = 64 * 1024
OUTPUT_SHOWN_BYTES = 2000


async def run(
    cluster: Cluster,
    test: PostDeploymentTest,
    environment: EnvironmentSpec,
    commit: str,
    workloads: Mapping[str, str] | None = None,
) -> None:
    """Return when ``test`` passed. Raises PostDeploymentTestFailed with what was found instead.

    ``workloads`` are the Deployments by service, where they are not called like it.
    """
    if test.workload_ready is not None:
        service = test.workload_ready.service
        workload = (workloads or {}).get(service, service)
        await _workload_ready(cluster, test.name, test.workload_ready, environment.namespace, workload)
    elif test.http_check is not None:
        await http_check(test.name, test.http_check)
    elif test.command is not None:
        await _command(test.name, test.command, environment.name, commit)


async def _workload_ready(cluster: Cluster, name: str, check: WorkloadReady, namespace: str, workload: str) -> None:
    deadline = time.monotonic() + check.timeout_seconds
    while True:
        status = await cluster.rollout_status(namespace, workload)
        if status.is_ready:
            return
        if status.failure is not None or time.monotonic() >= deadline:
            why = status.failure or f"not ready after {check.timeout_seconds} s"
            raise _failed(name, f"{check.service} has {status.available} of {status.desired} replicas: {why}")
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def http_check(name: str, check: HttpCheck) -> None:
    """Ask until the answer is right or the time is over: a service may need a moment behind its load balancer."""
    await _refuse_link_local(name, check.url)
    deadline, found = time.monotonic() + check.timeout_seconds, "no answer"
    async with direct_client(timeout_seconds=min(10, check.timeout_seconds)) as client:
        while time.monotonic() < deadline:
            try:
                found = await _ask(client, check)
            except httpx.HTTPError as error:
                found = type(error).__name__
            if not found:
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
    raise _failed(name, f"GET {check.url}: {found}")


async def _ask(client: httpx.AsyncClient, check: HttpCheck) -> str:
    """What is wrong with the answer; empty when it is right. Reads no more than is looked at."""
    async with client.stream("GET", check.url) as response:
        if response.status_code != check.expected_status:
            return f"status {response.status_code} instead of {check.expected_status}"
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= BODY_LIMIT_BYTES:
                break
    if check.contains is not None and check.contains.encode() not in body:
        return f"the answer does not contain {check.contains!r}"
    return ""


async def _refuse_link_local(name: str, url: str) -> None:
    """Link-local addresses are where clouds serve credentials to whoever asks; a name may lead there too."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(socket.gaierror):
        for *_, address in await asyncio.get_running_loop().getaddrinfo(host, None):
            if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_link_local:
                raise _failed(name, f"{host} is a link-local address, where metadata services live")


async def _command(name: str, check: Command, environment: str, commit: str) -> None:
    """Run without a shell, without our own environment (it holds secrets), in an empty folder, in its own group."""
    with tempfile.TemporaryDirectory(prefix="adx-test-") as folder:
        own = {"HOME": folder, "ADX_ENVIRONMENT": environment, "ADX_COMMIT": commit}
        try:
            process = await asyncio.create_subprocess_exec(
                *check.arguments,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), **own},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(name, f"{check.arguments[0]} cannot be started: {error.strerror}") from error
        try:
            output, _ = await asyncio.wait_for(process.communicate(), check.timeout_seconds)
        except TimeoutError:
            raise _failed(name, f"still running after {check.timeout_seconds} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        tail = output[-OUTPUT_SHOWN_BYTES:].decode(errors="replace").strip()
        raise _failed(name, f"exit status {process.returncode}: {tail}")


def _failed(name: str, why: str) -> PostDeploymentTestFailed:
    return PostDeploymentTestFailed(
        f"post-deployment test {name!r} failed: {why}",
        next_step="correct the change, or the test in environment.yaml, and merge again",
    )
