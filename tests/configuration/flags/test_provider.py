"""ADX's provider through OpenFeature's own client: what services read, and how changes reach them."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ProviderNotReadyError
from openfeature.provider import ProviderStatus

from pipelines.flags import AdxProvider
from policies.configuration.flags.errors import FlagsUnreadable

BOOLEAN = {"type": "boolean", "enabled": True}
FLAGS: dict[str, Any] = {
    "on": BOOLEAN,
    "share": {"type": "percentage", "percentage": 50},
    "dead": {**BOOLEAN, "disabled": True},
    "gifts": {"type": "tenant_list", "tenants": ["acme"]},
    "text": {**BOOLEAN, "variants": {"on": "new", "off": "old"}},
    "whole": {**BOOLEAN, "variants": {"on": 3, "off": 0}},
    "real": {**BOOLEAN, "variants": {"on": 3.5, "off": 0}},
    "thing": {**BOOLEAN, "variants": {"on": {"a": [1]}, "off": {}}},
    "needs": {**BOOLEAN, "prerequisites": [{"flag": "on"}]},
}


def mount(folder: Path, version: str, document: object) -> Path:
    """Write the document as Kubernetes mounts a ConfigMap: files are links through a link that is swapped."""
    (folder / version).mkdir(parents=True)
    (folder / version / "flags.json").write_text(document if isinstance(document, str) else json.dumps(document))
    swap = folder / "..swap"
    swap.symlink_to(version)
    swap.rename(folder / "..data")
    path = folder / "flags.json"
    if not path.is_symlink():
        path.symlink_to("..data/flags.json")
    return path


class Reader:
    """A service's client, and what its provider has told it."""

    def __init__(self, provider: AdxProvider, domain: str) -> None:
        self.provider = provider
        self.told: queue.Queue[tuple[str, list[str] | None]] = queue.Queue()
        self.client: OpenFeatureClient = api.get_client(domain)
        with suppress(ProviderNotReadyError):  # told as an event, too
            api.set_provider_and_wait(provider, domain)
        for event in ProviderEvent:
            self.client.add_handler(event, self._handler(event))
        self.told.get(timeout=30)  # what the provider is now is told to each new handler

    def _handler(self, event: ProviderEvent) -> Any:
        def handle(details: EventDetails) -> None:
            self.told.put((event.name.removeprefix("PROVIDER_"), details.flags_changed))

        return handle

    def both_told(self) -> set[str]:
        """The next two events; OpenFeature's handlers run in a pool of threads, in any order."""
        return {self.next_told()[0], self.next_told()[0]}

    def next_told(self) -> tuple[str, list[str] | None]:
        """What is told next."""
        return self.told.get(timeout=30)


@pytest.fixture(autouse=True)
def own_providers() -> Iterator[None]:
    """Every test leaves OpenFeature as it was."""
    yield
    api.clear_providers()


def test_every_type_is_read_with_variant_and_reason(tmp_path: Path):
    """As the client gives them to a service."""
    client = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS)), "types").client

    assert client.get_boolean_value("on", False) is True
    assert client.get_string_value("text", "") == "new"
    assert client.get_integer_value("whole", 0) == 3
    assert client.get_float_value("real", 0.0) == 3.5
    whole_as_float = client.get_float_value("whole", 0.0)
    assert (whole_as_float, type(whole_as_float)) == (3.0, float)
    assert client.get_object_value("thing", {}) == {"a": [1]}
    details = client.get_boolean_details("gifts", False, EvaluationContext("ann", {"tenant": "acme"}))
    assert (details.value, details.variant, details.reason) == (True, "on", "TARGETING_MATCH")


@pytest.mark.parametrize(
    ("flag", "reason", "code"),
    [
        ("share", "ERROR", "TARGETING_KEY_MISSING"),
        ("text", "ERROR", "TYPE_MISMATCH"),
        ("gone", "ERROR", "FLAG_NOT_FOUND"),
        ("dead", "DISABLED", None),
    ],
)
def test_the_default_of_the_code_counts_where_there_is_no_value(
    tmp_path: Path, flag: str, reason: str, code: str | None
) -> None:
    """With OpenFeature's reason and error code."""
    details = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS)), "default").client.get_boolean_details(flag, True)

    assert (details.value, details.variant, details.reason, details.error_code) == (True, None, reason, code)


async def test_asynchronous_readers_get_the_same(tmp_path: Path):
    """Evaluating waits for nothing, so both are one."""
    client = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS)), "async").client

    assert await client.get_boolean_value_async("on", False) is True
    assert await client.get_string_value_async("text", "") == "new"


def test_a_service_may_change_an_object_that_it_got(tmp_path: Path):
    """The next reader gets the flag's value all the same."""
    client = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS)), "object").client
    client.get_object_value("thing", {})["a"].append(2)

    assert client.get_object_value("thing", {}) == {"a": [1]}


def test_a_swapped_config_map_is_noticed_and_told(tmp_path: Path):
    """By the watching thread; flags that need a changed one have changed, too."""
    reader = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS), poll_seconds=0.01), "swap")
    mount(tmp_path, "v2", {**FLAGS, "on": {**BOOLEAN, "enabled": False}})

    assert reader.next_told() == ("CONFIGURATION_CHANGED", ["needs", "on"])
    assert reader.client.get_boolean_value("on", True) is False
    assert reader.client.get_boolean_value("needs", True) is False


@pytest.mark.parametrize("broken", ["", "[]", '{"on": '])
def test_flags_stay_what_they_were_while_the_file_is_broken(tmp_path: Path, broken: str):
    """Told once as stale, then as ready, and what changed meanwhile as changed."""
    reader = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS), poll_seconds=3600), "stale")
    mount(tmp_path, "v2", broken)
    reader.provider.look()
    reader.provider.look()
    assert reader.next_told() == ("STALE", None)
    assert reader.client.get_provider_status() is ProviderStatus.STALE
    assert reader.client.get_boolean_value("on", False) is True

    mount(tmp_path, "v3", {"on": {**BOOLEAN, "enabled": False}})
    reader.provider.look()
    assert reader.both_told() == {"READY", "CONFIGURATION_CHANGED"}
    assert reader.told.empty()
    assert reader.client.get_boolean_value("on", True) is False


def test_a_file_that_is_removed_makes_flags_stale_and_one_that_returns_mends_it(tmp_path: Path):
    """The same contents are no change."""
    path = mount(tmp_path, "v1", FLAGS)
    reader = Reader(AdxProvider(path, poll_seconds=3600), "removed")
    path.rename(tmp_path / "away")
    reader.provider.look()
    (tmp_path / "away").rename(path)
    reader.provider.look()

    assert reader.both_told() == {"STALE", "READY"}
    assert reader.told.empty()


def test_a_service_that_starts_before_its_flags_gets_them_later(tmp_path: Path):
    """Until then the defaults of the code count."""
    reader = Reader(AdxProvider(tmp_path / "flags.json", poll_seconds=0.01), "early")
    assert reader.client.get_boolean_value("on", False) is False

    mount(tmp_path, "v1", FLAGS)
    assert reader.both_told() == {"READY", "CONFIGURATION_CHANGED"}
    assert reader.client.get_boolean_value("on", False) is True


def test_a_callable_may_give_the_flags_and_may_fail():
    """Whatever it raises, the flags stay."""
    answers: list[Any] = [json.dumps(FLAGS).encode(), ZeroDivisionError("away"), b'{"on": {"type": "boolean"}}']

    def read() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    reader = Reader(AdxProvider(read, poll_seconds=3600), "callable")
    reader.provider.look()
    assert reader.next_told() == ("STALE", None)
    assert reader.client.get_boolean_value("on", False) is True

    reader.provider.look()
    assert reader.client.get_boolean_details("on", False).error_code == "PARSE_ERROR"


def test_a_tenants_own_switches_win_and_are_watched(tmp_path: Path):
    """The file that ADX delivers to the tenant's namespace."""
    switches = mount(tmp_path / "own", "v1", {"on": False})
    reader = Reader(AdxProvider(mount(tmp_path, "v1", FLAGS), overrides=switches, poll_seconds=3600), "tenant")
    assert reader.client.get_boolean_value("on", True) is False

    mount(tmp_path / "own", "v2", {})
    reader.provider.look()
    assert reader.next_told() == ("CONFIGURATION_CHANGED", ["needs", "on"])
    assert reader.client.get_boolean_value("on", False) is True


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As ADX sets it for services that declare flags; without it, that is said at once."""
    monkeypatch.setenv("ADX_FLAGS_FILE", str(mount(tmp_path, "v1", FLAGS)))
    assert Reader(AdxProvider(), "environ").client.get_boolean_value("on", False) is True

    monkeypatch.delenv("ADX_FLAGS_FILE")
    with pytest.raises(FlagsUnreadable, match="ADX_FLAGS_FILE is not set"):
        AdxProvider()


def test_shutting_down_ends_the_watching_thread(tmp_path: Path):
    """No thread outlives its provider."""
    provider = AdxProvider(mount(tmp_path, "v1", FLAGS), poll_seconds=3600)
    Reader(provider, "shutdown")
    thread = provider._thread
    assert thread is not None
    assert thread.is_alive()
    provider.shutdown()

    assert not thread.is_alive()


def test_importing_the_provider_imports_nothing_heavy():
    """A service pays for OpenFeature, msgspec and mmh3 only."""
    program = "import sys, pipelines.flags; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "temporalio",
        "pulumi",
        "starlette",
        "sqlalchemy",
        "typer",
        "rich",
        "yaml",
        "jsonschema_rs",
        "infra",
        "workflows",
    }

    assert heavy.isdisjoint(done.stdout.split())
