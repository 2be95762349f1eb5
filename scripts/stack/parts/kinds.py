"""Kinds that the local API server does not have by itself: HTTPRoute of the Gateway API.

Nothing in the local cluster carries routes out; they are there to be applied and looked at.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from scripts.errors import StackError
from scripts.stack.probes import http_request

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MANAGER = "adx-local-stack"
_ESTABLISHED_WITHIN_SECONDS = 60.0
_ANSWER_WITHIN_SECONDS = 60.0  # the definition is large, and the API server busy with its own start
_PRINT_WITHIN_SECONDS = 30
_POLL_SECONDS = 0.05


def make_kinds(api_url: str, token: str, ca_file: Path, printer: Path) -> None:
    """Apply the definition that ``printer`` prints as JSON and wait until it is served; StackError when it is not."""
    printed = subprocess.run([printer], capture_output=True, timeout=_PRINT_WITHIN_SECONDS, check=False)
    if printed.returncode != 0:
        raise StackError(f"{printer.name} printed no definition: {printed.stderr.decode(errors='replace').strip()}")
    definition = json.loads(printed.stdout)
    url = f"{api_url}{_PATH}/{definition['metadata']['name']}"
    _request("PATCH", f"{url}?fieldManager={_MANAGER}&force=true", token, ca_file, definition)
    give_up_at = time.monotonic() + _ESTABLISHED_WITHIN_SECONDS
    while not _is_established(_request("GET", url, token, ca_file)):
        if time.monotonic() > give_up_at:
            raise StackError(
                f"the local API server does not serve {definition['metadata']['name']}",
                next_step="look at `adx logs kube-apiserver`",
            )
        time.sleep(_POLL_SECONDS)


def _request(method: str, url: str, token: str, ca_file: Path, body: object = None) -> dict[str, Any]:
    # Server-side apply takes YAML, which JSON is.
    content_type = {"Content-Type": "application/apply-patch+yaml"} if body is not None else {}
    status, answer = http_request(
        method,
        url,
        body=body,
        headers={"Authorization": f"Bearer {token}", **content_type},
        ca_file=str(ca_file),
        timeout_seconds=_ANSWER_WITHIN_SECONDS,
    )
    if status not in {200, 201} or not isinstance(answer, dict):
        message = answer.get("message") if isinstance(answer, dict) else answer
        raise StackError(
            f"the local API server refused a custom kind: {message}", next_step="look at `adx logs kube-apiserver`"
        )
    return answer


def _is_established(definition: dict[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
