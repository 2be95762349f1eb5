"""A service of the demo's shop: reads feature flags through OpenFeature while they change under it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from openfeature import api

from pipelines.flags import AdxProvider

DOMAIN = "demo-shop"


class Service:
    """Runs as long as the block: one provider, on the file that Kubernetes would mount from the ConfigMap."""

    def __init__(self, folder: Path, objects: list[dict[str, Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "flags.json"
        self._write(objects)
        self._provider = AdxProvider(self._file)

    def mount(self, objects: list[dict[str, Any]]) -> None:
        """Do what a kubelet does: replace the file by what the cluster holds now. The service goes on running."""
        self._write(objects)
        self._provider.look()

    def is_on(self, flag: str) -> bool | None:
        """What OpenFeature says of ``flag``; None where it answers with an error."""
        found = api.get_client(DOMAIN).get_boolean_details(flag, default_value=False)
        return None if found.error_code is not None else found.value

    def __enter__(self) -> Service:
        api.set_provider_and_wait(self._provider, DOMAIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        api.shutdown()

    def _write(self, objects: list[dict[str, Any]]) -> None:
        maps = (item["data"] for item in objects if item["kind"] == "ConfigMap" and "data" in item)
        document = next(data["flags.json"] for data in maps if "flags.flagd.json" in data)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(document)
        fresh.replace(self._file)
