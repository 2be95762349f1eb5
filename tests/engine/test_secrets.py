"""What is secret stays out of everything that the engine writes or tells."""

from __future__ import annotations

import contextlib
import dataclasses
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from infra.engine import Engine, EngineSettings, Progress
from infra.engine.secrecy import REPLACEMENT, Scrubber, kubeconfig_secrets
from infra.engine.state import decompress, stored_path
from infra.engine.workspace import pulumi_home
from infra.errors import PassphraseMissing, PulumiFailed
from tests.support.desired import desired_state, service_spec, service_unit

CANARY = "canary-passphrase-4f1d9b"


@pytest.fixture
def with_canary(settings: EngineSettings, tmp_path: Path) -> EngineSettings:
    """Settings whose passphrase is a canary."""
    path = tmp_path / "secrets" / "passphrase"
    path.parent.mkdir()
    path.write_text(CANARY + "\n")
    path.chmod(0o600)
    return dataclasses.replace(
        settings, passphrase_file=path, inherited={**settings.inherited, "AWS_SECRET_X": "canary-aws"}
    )


async def test_no_secret_reaches_state_files_events_errors_or_command_lines(
    with_canary: EngineSettings, environment: str, cluster: Any
):
    """Given canaries everywhere, then neither an up that succeeds nor one that fails shows any."""
    secrets = [CANARY, "canary-aws", *kubeconfig_secrets(with_canary.kubeconfig)]
    assert len(secrets) >= 3
    told: list[Progress] = []
    seen: list[str] = []

    def listen(progress: Progress) -> None:
        told.append(progress)
        if not seen:
            seen.extend(command_lines())

    engine = Engine(with_canary, environment)
    await engine.up(desired_state(environment), on_event=listen)
    broken = service_unit(environment, service_spec(env={"NOT VALID\x01": "x"}))
    with pytest.raises(PulumiFailed) as failed:
        await engine.up(desired_state(environment, *desired_state(environment).units[:1], broken), on_event=listen)

    written = [content_of(path) for root in roots(with_canary) for path in root.rglob("*") if path.is_file()]
    haystack = "\n".join([*written, *map(repr, told), *seen, repr(failed.value), repr(with_canary)])
    assert environment in haystack
    assert [secret for secret in secrets if secret in haystack] == []


def roots(settings: EngineSettings) -> list[Path]:
    """Everywhere that the engine writes."""
    return [settings.home, Path(settings.backend_url.removeprefix("file://"))]


def content_of(path: Path) -> str:
    """The text of a file, decompressed."""
    return decompress(path.read_bytes()).decode(errors="replace")


def command_lines() -> list[str]:
    """The command line of every process, as any user of the machine could see it."""
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        lines.append(" ".join(process.info["cmdline"] or []))
    return lines


async def test_pulumi_sees_only_the_variables_it_needs(
    with_canary: EngineSettings, environment: str, cluster: Any, monkeypatch: Any
):
    """The ledger's address and the webhook's secret are none of its business."""
    monkeypatch.setenv("ADX_LEDGER_URL", "postgresql://canary-ledger")
    seen: dict[str, str] = {}

    def look(progress: Progress) -> None:
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or [""]
            if Path(command[0]).name == "pulumi" and environment in command:
                with contextlib.suppress(psutil.Error):  # the last events are told when it is ending
                    seen.update(process.environ())

    await Engine(with_canary, environment).preview(desired_state(environment), on_event=look)

    assert seen["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(with_canary.passphrase_file)
    assert "ADX_LEDGER_URL" not in seen
    assert CANARY not in seen.values()


@pytest.mark.parametrize("content", [None, "", " \n"])
async def test_an_empty_or_missing_passphrase_is_refused(
    settings: EngineSettings, environment: str, tmp_path: Path, content: str | None
):
    """State is never written without protection for its secrets."""
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_text(content)
    engine = Engine(dataclasses.replace(settings, passphrase_file=path), environment)

    with pytest.raises(PassphraseMissing):
        await engine.up(desired_state(environment))

    assert stored_path(settings, environment) is None


async def test_no_passphrase_file_at_all_is_refused(settings: EngineSettings, environment: str):
    """An inherited PULUMI_CONFIG_PASSPHRASE does not count either: it is not passed on."""
    with pytest.raises(PassphraseMissing, match="not set"):
        await Engine(dataclasses.replace(settings, passphrase_file=None), environment).preview(
            desired_state(environment)
        )


async def test_inputs_of_a_running_operation_are_private_and_gone_afterwards(
    engine: Engine, settings: EngineSettings, environment: str
):
    """The desired state passes through a file that only the owner can read."""
    modes: set[int] = set()
    folder = settings.home / "pulumi" / "adx" / environment

    def look(progress: Progress) -> None:
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in folder.glob("inputs-*"))

    await engine.preview(desired_state(environment), on_event=look)

    assert modes == {0o600}
    assert list(folder.glob("inputs-*")) == []


def test_every_kind_of_credential_in_a_kubeconfig_is_known(tmp_path: Path):
    """Tokens, passwords, keys and those of auth plugins."""
    users = [
        {"name": "a", "user": {"token": "token-one", "client-key-data": "key-data-one"}},
        {"name": "b", "user": {"username": "bob", "password": "password-one"}},
        {
            "name": "c",
            "user": {"auth-provider": {"config": {"id-token": "id-token-one", "client-secret": "secret-one"}}},
        },
    ]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({"users": users}))

    assert set(kubeconfig_secrets(path)) == {"token-one", "key-data-one", "password-one", "id-token-one", "secret-one"}


def test_scrubbing_replaces_longer_secrets_first_and_leaves_short_ones():
    """A secret that contains another leaves no rest; a word of three letters is no secret."""
    scrubbed = Scrubber(["hunter2-long-tail", "hunter2-long", "abc"]).scrub("hunter2-long-tail and abc")

    assert scrubbed == f"{REPLACEMENT} and abc"


async def test_pulumi_keeps_no_log_of_its_own(settings: EngineSettings, environment: str, cluster: Any):
    """Not even after an earlier version let it: its logs hold the properties of every resource."""
    logs = pulumi_home(settings) / "logs"
    logs.mkdir(parents=True)
    (logs / "earlier.log").write_text("properties")

    await Engine(settings, environment).preview(desired_state(environment))

    assert logs.is_file()
    assert "keeps none" in logs.read_text()
