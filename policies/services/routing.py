"""How the requests of a service are divided between its releases. Pure.

A split is what a gateway is told. It is durable: it travels through workflow
histories, so fields are only ever added, with defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WHOLE = 100
_RELEASE_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class TesterRoute:
    """Requests whose ``header`` is ``value`` go to ``release``, whatever its weight."""

    __test__ = False  # no class of tests

    header: str
    value: str
    release: str


@dataclass(frozen=True)
class Sticky:
    """A caller stays with its release, known by a cookie or by the value of a request header: exactly one is set."""

    cookie: str | None = None
    header: str | None = None

    def __post_init__(self) -> None:
        if (self.cookie is None) == (self.header is None):
            raise ValueError("what a caller is known by is either a cookie or a header")


@dataclass(frozen=True)
class Mirror:
    """``percent`` (1 to 100) of the requests are copied to ``release``; the answers to the copies are thrown away."""

    release: str
    percent: int

    def __post_init__(self) -> None:
        if not 1 <= self.percent <= _WHOLE:
            raise ValueError(f"{self.percent} % of the requests cannot be copied; write 1 to {_WHOLE}")


@dataclass(frozen=True)
class Split:
    """``weights`` are per cent of the requests by release id, together 100.

    A release of weight 0 is known to the gateway, for testers and copies. The
    ``fallback`` answers while no release that has a weight does. Raises
    ValueError, whose text says what is wrong with it.
    """

    weights: Mapping[str, int]
    testers: TesterRoute | None = None
    sticky: Sticky | None = None
    mirror: Mirror | None = None
    fallback: str | None = None

    def __post_init__(self) -> None:
        _check_weights(self.weights)
        for what, part in (("testers", self.testers), ("copies", self.mirror)):
            if part is not None and part.release not in self.weights:
                raise ValueError(f"{what} would go to the release {part.release}, which has no weight, not even 0")
        if self.fallback is not None and self.fallback not in self.weights:
            raise ValueError(f"the fallback would be the release {self.fallback}, which has no weight, not even 0")
        if self.mirror is not None and self.weights[self.mirror.release] == _WHOLE:
            raise ValueError(f"the release {self.mirror.release} has all requests and cannot get copies of them")

    def to_gateway_json(self) -> dict[str, Any]:
        """The body of ``PUT /adx/splits/<service>``. Without a fallback, gateways that know of none take it, too."""
        testers, sticky, mirror = self.testers, self.sticky, self.mirror
        body: dict[str, Any] = {
            "releases": dict(sorted(self.weights.items())),
            "testers": None
            if testers is None
            else {"header": testers.header, "value": testers.value, "release": testers.release},
            "sticky": None if sticky is None else _sticky_json(sticky),
            "mirror": None if mirror is None else {"release": mirror.release, "percent": mirror.percent},
        }
        return body if self.fallback is None else body | {"fallback": self.fallback}


def all_on(release: str, *, sticky: Sticky | None = None) -> Split:
    """Every request to ``release``."""
    return Split({release: _WHOLE}, sticky=sticky)


def shifted(
    blue: str,
    green: str,
    green_percent: int,
    *,
    testers: tuple[str, str] | None = None,
    sticky: Sticky | None = None,
    mirror_percent: int = 0,
) -> Split:
    """``green_percent`` of the requests to ``green``, the rest to ``blue``.

    ``testers`` are a header and its value, whose requests go to green;
    ``mirror_percent`` of the requests are copied to it. Raises ValueError.
    """
    if blue == green:
        raise ValueError(f"the release {blue} cannot take over from itself")
    return Split(
        {blue: _WHOLE - green_percent, green: green_percent},
        testers=None if testers is None else TesterRoute(*testers, release=green),
        sticky=sticky,
        mirror=Mirror(green, mirror_percent) if mirror_percent else None,
    )


def _check_weights(weights: Mapping[str, int]) -> None:
    for release, weight in weights.items():
        if not _RELEASE_ID.fullmatch(release):
            raise ValueError(f"{release!r} is no id of a release: 8 hexadecimal digits")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= _WHOLE:
            raise ValueError(f"the release {release} cannot have {weight} % of the requests; write 0 to {_WHOLE}")
    if sum(weights.values()) != _WHOLE:
        told = ", ".join(f"{release} {weight}" for release, weight in sorted(weights.items())) or "no release"
        raise ValueError(f"the weights do not add up to {_WHOLE}: {told}")


def _sticky_json(sticky: Sticky) -> dict[str, str]:
    if sticky.cookie is not None:
        return {"cookie": sticky.cookie}
    return {"header": sticky.header or ""}
