"""The user's own cluster instead of the local control plane: only the named context, nothing else."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.errors import StackError
from scripts.stack import Stack

_KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "production",
    "contexts": [
        {"name": "production", "context": {"cluster": "big", "user": "admin"}},
        {"name": "kind-dev", "context": {"cluster": "kind", "user": "dev", "namespace": "play"}},
    ],
    "clusters": [
        {"name": "big", "cluster": {"server": "https://production.example:6443"}},
        {"name": "kind", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority": "pki/ca.crt"}},
    ],
    "users": [
        {"name": "admin", "user": {"token": "production-token"}},
        {"name": "dev", "user": {"token": "dev-token"}},
    ],
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """A user's file with a production cluster as its current context."""
    path = tmp_path / "user" / "config"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(_KUBECONFIG))
    return path


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that is ended after the test."""
    stack = Stack(tmp_path / "home")
    yield stack
    stack.down()


def test_only_the_named_context_reaches_the_stack(stack: Stack, kubeconfig: Path) -> None:
    """The current context of the user's file is another one, and it is nowhere in ours."""
    stack.up([], context="kind-dev", kubeconfig=kubeconfig)
    settings = stack.environment()
    written = Path(settings["KUBECONFIG"])
    content = yaml.safe_load(written.read_text())
    assert settings["ADX_KUBE_CONTEXT"] == content["current-context"] == "kind-dev"
    assert "production" not in written.read_text()
    assert content["contexts"][0]["context"]["namespace"] == "play"
    assert content["clusters"][0]["cluster"]["certificate-authority"] == str(kubeconfig.parent / "pki/ca.crt")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_local_control_plane_is_not_started_beside_a_context(stack: Stack, kubeconfig: Path) -> None:
    """Only what else was asked for runs, now and at the next start without a context."""
    stack.up(["kwok", "postgres"], context="kind-dev", kubeconfig=kubeconfig)
    assert [part.name for part in stack.status()] == ["postgres"]
    stack.up(["kwok", "postgres"])
    assert [part.name for part in stack.status()] == ["postgres"]


def test_user_file_is_not_changed(stack: Stack, kubeconfig: Path) -> None:
    """Reading is all that happens to it."""
    before = kubeconfig.read_bytes()
    stack.up([], context="kind-dev", kubeconfig=kubeconfig)
    stack.down()
    assert kubeconfig.read_bytes() == before


def test_unknown_context_is_refused_with_the_known_ones(stack: Stack, kubeconfig: Path) -> None:
    """And nothing is started."""
    with pytest.raises(StackError, match="no entry 'kind-prod' among its contexts") as refused:
        stack.up(["postgres"], context="kind-prod", kubeconfig=kubeconfig)
    assert refused.value.next_step == "choose one of: kind-dev, production"
    assert stack.status() == []


def test_context_cannot_be_changed_while_the_stack_uses_another(stack: Stack, kubeconfig: Path) -> None:
    """A worker that delivers to one cluster must not find itself on another."""
    stack.up(["postgres"], context="kind-dev", kubeconfig=kubeconfig)
    with pytest.raises(StackError, match="already uses kind-dev"):
        stack.up(["postgres"], context="production", kubeconfig=kubeconfig)


def test_contexts_are_found_in_every_file_of_the_variable(
    stack: Stack, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$KUBECONFIG may name several files, and parts of one context may lie in different ones."""
    other = kubeconfig.with_name("clusters")
    other.write_text(yaml.safe_dump({"clusters": _KUBECONFIG["clusters"]}))
    kubeconfig.write_text(yaml.safe_dump({key: value for key, value in _KUBECONFIG.items() if key != "clusters"}))
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}:{other}")
    stack.up([], context="kind-dev")
    assert "https://127.0.0.1:1" in Path(stack.environment()["KUBECONFIG"]).read_text()
