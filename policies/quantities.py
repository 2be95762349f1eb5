"""Kubernetes quantities as exact numbers, so that they can be compared."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?\Z")
_FACTORS: dict[str | None, Fraction] = {
    None: Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}


@lru_cache(maxsize=4096)
def quantity(text: str) -> Fraction:
    """``text`` in its base unit (cores, bytes): ``500m`` is 1/2, ``64Mi`` is 67108864.

    Raises ValueError for what the schemas would refuse.
    """
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"not a Kubernetes quantity: {text!r}")
    number, unit = match.groups()
    return Fraction(number) * _FACTORS[unit]
