"""The gateway's configuration, and the Go code's own tests."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.stack.parts import caddy
from scripts.toolchain import golang
from scripts.toolchain.cache import Cache
from scripts.toolchain.recipe import RECIPES
from workflows.services.gateway_config import GatewayConfig, caddy_config

SETTINGS = GatewayConfig(
    listen="127.0.0.1:80", admin_listen="127.0.0.1:81", consul_url="http://127.0.0.1:82", state_folder="/state"
)
# What needs neither Caddy nor its modules, and so compiles in seconds.
_GO_FILES = (
    "address.go",
    "consul.go",
    "flights.go",
    "headers.go",
    "instances.go",
    "picker.go",
    "split.go",
    "state.go",
    "suspects.go",
    "tee.go",
    "watch.go",
    "address_test.go",
    "flights_test.go",
    "parts_test.go",
    "picker_test.go",
    "split_test.go",
    "watch_test.go",
)


def test_local_stack_uses_the_same_configuration() -> None:
    """It writes it down itself, since the stack imports nothing of the product."""
    made = caddy.configuration(
        listen=SETTINGS.listen,
        admin_listen=SETTINGS.admin_listen,
        consul_url=SETTINGS.consul_url,
        state_folder=Path(SETTINGS.state_folder),
    )
    assert made == caddy_config(replace(SETTINGS, allow_loopback=True))


def test_names_that_are_given_come_before_names_that_are_found() -> None:
    """And of two prefixes the longer one."""
    settings = replace(SETTINGS, hosts={"shop.example.com": "frontend"}, prefixes={"/api/": "api", "/api/v2": "api-v2"})
    routes = caddy_config(settings)["apps"]["http"]["servers"]["gateway"]["routes"]
    assert [(route.get("match"), route["handle"][0].get("service")) for route in routes] == [
        ([{"host": ["shop.example.com"]}], "frontend"),
        ([{"path": ["/api/v2", "/api/v2/*"]}], "api-v2"),
        ([{"path": ["/api", "/api/*"]}], "api"),
        (None, None),
    ]


def test_go_tests_pass() -> None:
    """Picker, validation, state, addresses, and what is kept when the registry does not list it."""
    go = golang.find(Cache.of_user(os.environ), os.environ)
    if go is None:
        pytest.skip("Go is not there; the first build of a tool installs it")
    done = subprocess.run(
        [go.path, "test", *_GO_FILES],
        cwd=RECIPES / "caddy",
        env=golang.build_environment(go, os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
