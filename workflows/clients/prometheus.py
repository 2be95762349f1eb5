"""Instant queries to a Prometheus server over its HTTP API (Prometheus manual, "HTTP API", query)."""

from __future__ import annotations

from typing import Any

import httpx

from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

TIMEOUT_SECONDS = 10.0


async def query(url: str, text: str) -> dict[str, float]:
    """``{labels: value}`` of every series that the instant query ``text`` returns now; empty without data.

    A scalar has the empty label. Raises AdxConnectionError, AdxTimeoutError, and AdxValidationError when the
    server refuses the query or answers with something else than numbers.
    """
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
            response = await client.post(f"{url.rstrip('/')}/api/v1/query", data={"query": text})
    except httpx.TimeoutException as error:
        raise AdxTimeoutError(f"{url} does not answer a query within {TIMEOUT_SECONDS:g} s") from error
    except httpx.HTTPError as error:
        raise AdxConnectionError(f"{url} cannot be asked: {type(error).__name__}") from error
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise AdxConnectionError(f"{url} answers a query with status {response.status_code}")
    return _values(url, response)


def _values(url: str, response: httpx.Response) -> dict[str, float]:
    try:
        answer: Any = response.json()
        if answer["status"] != "success":
            raise AdxValidationError(f"{url} refuses the query: {answer.get('error', 'it does not say why')}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return {"": float(data["result"][1])}
        if data["resultType"] == "vector":
            return {_labels(series["metric"]): float(series["value"][1]) for series in data["result"]}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise AdxValidationError(
            f"{url} does not answer as Prometheus does (status {response.status_code})",
            next_step="look at the address of the gate in environment.yaml",
        ) from error
    raise AdxValidationError(f"the query gives a {data['resultType']}", next_step="ask for one number per series")


def _labels(metric: dict[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()))
