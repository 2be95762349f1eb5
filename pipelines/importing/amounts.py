"""Amounts of CPU and memory in the spelling that declarations take. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from pipelines.importing.model import Json
from pipelines.importing.notes import Notes

_UNITS = "n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei"
_AMOUNT = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{{1,2}})|({_UNITS}))?\Z")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_CPU = re.compile(r"([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)\Z")
_BYTES = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)\Z")
_WRITTEN = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4}
_MOST = 10**7 - 1  # in as many digits as a declaration has
# What a container gets of ADX in a tenant's namespace when it says nothing.
LIMITS = {"cpu": "500m", "memory": "512Mi"}
REQUESTS = {"cpu": "100m", "memory": "128Mi"}


def amount(text: object) -> Fraction | None:
    """Kubernetes' quantity as an exact number; None for what is none."""
    match = _AMOUNT.match(str(text))
    if match is None:
        return None
    number, exponent, unit = match.groups()
    if unit in _BINARY:
        return Fraction(number) * int(1024 ** _BINARY[unit])
    power = int(exponent) if exponent else _DECIMAL.get(unit, 0)
    return Fraction(number) * (Fraction(10**power) if power >= 0 else Fraction(1, 10**-power))


def written(kind: str, text: object) -> str | None:
    """``text`` as a declaration spells it, rounded up where it has to be; None for what is no amount."""
    found, plain = amount(text), str(text)
    if found is None or found <= 0:
        return None
    if kind == "cpu":
        return plain if _CPU.match(plain) else f"{math.ceil(found * 1000)}m"
    if _BYTES.match(plain):
        return plain
    exact = [unit for unit, power in _WRITTEN.items() if found % 1024**power == 0 and found / 1024**power < _MOST]
    unit = exact[-1] if exact else next((one for one, power in _WRITTEN.items() if found / 1024**power < _MOST), "Ti")
    return f"{math.ceil(found / 1024 ** _WRITTEN[unit])}{unit}"


def resources_of(container: Json, notes: Notes) -> Json:
    """``requests`` and ``limits`` of CPU and memory; what is not said is guessed, and said to be."""
    live = container.get("resources") or {}
    place = f"spec.template.spec.containers[{container['name']}].resources"
    made: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for kind in ("cpu", "memory"):
        request, limit = (written(kind, _given(live, side, kind)) for side in ("requests", "limits"))
        if limit is None:
            limit = _larger(LIMITS[kind], request)
            notes.add("guessed", f"{place}.limits.{kind}", f"no limit of {kind}: {limit} is a guess",
                      at=f"resources.limits.{kind}")  # fmt: skip
        if request is None:
            request = _smaller(REQUESTS[kind], limit)
            notes.add("guessed", f"{place}.requests.{kind}", f"no request of {kind}: {request} is a guess",
                      at=f"resources.requests.{kind}")  # fmt: skip
        made["requests"][kind], made["limits"][kind] = request, limit
    return made


def same_amount(one: object, other: object) -> bool:
    """Whether two texts are the same quantity: ``1`` and ``1000m``."""
    first = amount(one)
    return first is not None and first == amount(other)


def _given(live: Mapping[str, Json], side: str, kind: str) -> object:
    return (live.get(side) or {}).get(kind, "")


def _larger(text: str, other: str | None) -> str:
    return other if other is not None and (amount(other) or 0) > (amount(text) or 0) else text


def _smaller(text: str, other: str) -> str:
    return other if (amount(other) or 0) < (amount(text) or 0) else text
