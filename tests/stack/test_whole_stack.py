"""The whole stack, in a home of its own: everything killed at once, and an API server whose port was taken."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from lightkube import Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.resources.core_v1 import Namespace

from scripts.stack import Stack, processes
from tests.support.local_stack import LocalStack
from tests.support.waiting import wait_until


@pytest.fixture
def stack(tmp_path: Path, local_stack: LocalStack) -> Iterator[Stack]:
    """A whole stack; the shared one is asked for only because it checks that all tools are built."""
    assert local_stack.kubeconfig.is_file()
    stack = Stack(tmp_path / "home")
    stack.up()
    yield stack
    stack.down()
    assert stack.leftovers() == []


def test_stack_comes_back_after_everything_was_killed(stack: Stack) -> None:
    """As after a power cut: same addresses, same objects, nothing to repair by hand."""
    _create_namespace(stack, "before")
    settings = stack.environment()
    killed = [psutil.Process(part.pid) for part in stack.status()]
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    assert processes.wait_until_gone(killed, timeout_seconds=60) == []

    stack.up()
    # Each was ready once; a probe that comes late on a busy machine counts as "not ready".
    wait_until(lambda: {part.state for part in stack.status()}, lambda states: states == {"ready"})
    assert stack.environment() == settings
    assert _has_namespace(stack, "before")


def test_api_server_that_lost_its_port_moves_and_takes_its_dependants_along(stack: Stack) -> None:
    """Controllers and kwok would otherwise talk to whoever has the old port."""
    before = {part.name: part.pid for part in stack.status()}
    api_server, port = psutil.Process(before["kube-apiserver"]), stack.port("kube-apiserver", "https")
    api_server.kill()
    assert processes.wait_until_gone([api_server], timeout_seconds=60) == []
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        after = {part.name: part.pid for part in stack.up()}

    moved = {name for name in before if before[name] != after[name]}
    assert stack.port("kube-apiserver", "https") != port
    assert moved == {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
    _create_namespace(stack, "after")
    assert _has_namespace(stack, "after")


def _client(stack: Stack) -> Client:
    config = KubeConfig.from_file(stack.environment()["KUBECONFIG"]).get()
    return Client(config=config)


def _create_namespace(stack: Stack, name: str) -> None:
    with _client(stack) as client:
        client.create(from_dict({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))


def _has_namespace(stack: Stack, name: str) -> bool:
    with _client(stack) as client:
        return client.get(Namespace, name).metadata.name == name
