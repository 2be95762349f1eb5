"""In which share of a split a user falls: flagd's ``fractional``. Pure.

The hash is MurmurHash3 (x86, 32 bits, seed 0) of the CBOR text (RFC 8949, major
type 3) of flag key and targeting key, one after the other: what flagd does
with ``{"fractional": [{"cat": [<flag>, {"var": "targetingKey"}]}, ...]}`` since it
encodes bucketing values so (openfeature-flagd-core 2). Its place among all
parts is ``(hash * total) >> 32``, and the shares lie there in their order.

So a user stays where it was while the shares before its own stay what they
were and grow only at their end; and the flag's key being hashed, the same user
falls elsewhere for another flag.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmh3 import mmh3_32_uintdigest

PARTS = 100_000_000
"""A percentage is counted in parts of this many: a millionth of a per cent."""
LARGEST_TOTAL = 2**31 - 1
"""Weights of a split may add up to this: flagd multiplies by it in 64 signed bits."""

_HASHES = 2**32


def _head(length: int) -> bytes:
    """How CBOR announces a text of ``length`` bytes."""
    if length < 24:
        return bytes((0x60 + length,))
    for code, size in ((0x78, 1), (0x79, 2), (0x7A, 4), (0x7B, 8)):
        if length < 1 << (8 * size):
            return bytes((code,)) + length.to_bytes(size, "big")
    raise OverflowError("no text has 2⁶⁴ bytes")


_SHORT_HEADS = tuple(_head(length) for length in range(256))


def hash_of(text: bytes) -> int:
    """The 32-bit hash of flag key and targeting key, ``text`` being both in UTF-8."""
    length = len(text)
    return mmh3_32_uintdigest((_SHORT_HEADS[length] if length < 256 else _head(length)) + text)


def bucket_of(flag_key: str, targeting_key: str, total: int = PARTS) -> int:
    """The user's place, 0 to ``total`` - 1. Raises UnicodeEncodeError for half a surrogate pair."""
    return (hash_of(f"{flag_key}{targeting_key}".encode()) * total) >> 32


def parts_of(percentage: float) -> int:
    """``percentage`` in parts of PARTS; what is neither nothing nor all never becomes that by rounding."""
    parts = round(percentage * (PARTS // 100))
    if 0 < percentage < 100:
        return min(max(parts, 1), PARTS - 1)
    return parts


def thresholds_of(weights: Sequence[int]) -> list[int]:
    """For each share the first hash that lies behind it, so that no evaluation multiplies."""
    total, end, found = sum(weights), 0, []
    for weight in weights:
        end += weight
        found.append(-(-end * _HASHES // total))
    return found
