"""Fixtures for the engine against a real API server: one environment name, backend and home per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.engine import Engine, EngineSettings
from tests.engine.cluster import Cluster
from tests.support.local_stack import LocalStack


@pytest.fixture
def stack_environment(local_stack: LocalStack) -> dict[str, str]:
    """The settings of the local stack that all tests share."""
    return dict(local_stack.environment)


@pytest.fixture
def environment() -> str:
    """An environment name that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def engine_environ(stack_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The variables of an engine with a home and a backend of its own."""
    return (
        os.environ
        | stack_environment
        | {
            "ADX_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        }
    )


@pytest.fixture
def settings(engine_environ: dict[str, str]) -> EngineSettings:
    """Settings of an engine of its own."""
    return EngineSettings.from_environment(engine_environ)


@pytest.fixture
def cluster(settings: EngineSettings, environment: str) -> Iterator[Cluster]:
    """What the cluster holds of the environment; its namespaces are removed after the test."""
    connected = Cluster(settings, environment)
    yield connected
    connected.remove_namespaces()


@pytest.fixture
def engine(settings: EngineSettings, environment: str, cluster: Cluster) -> Engine:
    """The engine of the test's environment."""
    del cluster  # only so that it cleans up after the engine
    return Engine(settings, environment)
