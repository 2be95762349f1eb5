"""Queries to a Prometheus server over its HTTP API (Prometheus manual, "HTTP API", instant and range queries)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from workflows.clients.direct_http import direct_client
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels, and ``(seconds since the epoch, value)`` in order of time, without NaN and infinity."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


async def query(url: str, text: str) -> dict[str, float]:
    """``{labels: value}`` of every series that the instant query ``text`` returns now; empty without data.

    A scalar has the empty label. Raises AdxConnectionError, AdxTimeoutError, and AdxValidationError when the
    server refuses the query or answers with something else than numbers.
    """
    async with opened(url) as server:
        data = await server.ask("query", {"query": text})
    with _as_prometheus(url):
        if data["resultType"] == "scalar":
            return {"": float(data["result"][1])}
        if data["resultType"] == "vector":
            return {_labels(series["metric"]): float(series["value"][1]) for series in data["result"]}
    raise AdxValidationError(f"the query gives a {data['resultType']}", next_step="ask for one number per series")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Server]:
    """The server at ``url``, for several questions over the same connections."""
    async with direct_client(timeout_seconds=TIMEOUT_SECONDS) as client:
        yield Server(url.rstrip("/"), client)


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus server. Its methods raise what ``query`` raises."""

    url: str
    client: httpx.AsyncClient

    async def samples(self, selector: str, *, at_seconds: float) -> list[Series]:
        """The stored samples of a range selector (``name{…}[60s]``), whose range ends at ``at_seconds``.

        The range is open at its beginning and closed at its end.
        """
        data = await self.ask("query", {"query": selector, "time": f"{at_seconds:.3f}"})
        return _series(self.url, data)

    async def over_time(
        self, text: str, *, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> list[Series]:
        """What ``text`` evaluates to at ``start_seconds`` and every ``step_seconds``, up to ``end_seconds``."""
        times = {"start": f"{start_seconds:.3f}", "end": f"{end_seconds:.3f}", "step": f"{step_seconds:.3f}"}
        return _series(self.url, await self.ask("query_range", {"query": text, **times}))

    async def ask(self, endpoint: str, parameters: Mapping[str, str]) -> Any:
        """The ``data`` of the answer."""
        try:
            response = await self.client.post(f"{self.url}/api/v1/{endpoint}", data=dict(parameters))
        except httpx.TimeoutException as error:
            raise AdxTimeoutError(f"{self.url} does not answer a query within {TIMEOUT_SECONDS:g} s") from error
        except httpx.HTTPError as error:
            raise AdxConnectionError(f"{self.url} cannot be asked: {type(error).__name__}") from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise AdxConnectionError(f"{self.url} answers a query with status {response.status_code}")
        with _as_prometheus(self.url, response.status_code):
            answer: Any = response.json()
            if answer["status"] != "success":
                raise AdxValidationError(f"{self.url} refuses the query: {answer.get('error', 'it does not say why')}")
            return answer["data"]


@contextmanager
def _as_prometheus(url: str, status: int = httpx.codes.OK) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise AdxValidationError(
            f"{url} does not answer as Prometheus does (status {int(status)})",
            next_step="look at the address of the gate in environment.yaml, or at ADX_PROMETHEUS_URL of the workers",
        ) from error


def _series(url: str, data: Any) -> list[Series]:
    with _as_prometheus(url):
        if data["resultType"] == "matrix":
            return [Series(dict(one["metric"]), tuple(_numbers(one.get("values", ())))) for one in data["result"]]
    raise AdxValidationError(f"the query gives a {data['resultType']}", next_step="ask for numbers over time")


def _numbers(values: Any) -> Iterator[tuple[float, float]]:
    for at, text in values:
        value = float(text)
        if math.isfinite(value):
            yield float(at), value


def _labels(metric: dict[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()))
