"""Versions in what tools print, and the ranges that recipes accept."""

from __future__ import annotations

import pytest

from scripts.toolchain.versions import find_version, is_acceptable


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("v3.259.0\n", "3.259.0"),
        ("kwok version v0.7.0 go1.26.8 (linux/amd64)", "0.7.0"),
        ("Vault v1.21.0, built 2025-11-24T04:12:30Z", "1.21.0"),
        ("git version 2.39.5", "2.39.5"),
        ("rclone v1.76.0-DEV", "1.76.0"),
        ("1.26", "1.26"),
        ("no number here", None),
    ],
)
def test_version_is_found_in_what_a_tool_prints(printed: str, version: str | None) -> None:
    """The first version counts, with or without v."""
    assert find_version(printed) == version


@pytest.mark.parametrize(
    ("version", "accepted", "expected"),
    [
        ("1.26.8", ">=1.26", True),
        ("1.25.9", ">=1.26", False),
        ("1.100.0", ">=1.26,<2", True),
        ("2.0.0", ">=1.26,<2", False),
        ("4.18.2", "==4.18.2", True),
        ("4.18.1", "==4.18.2", False),
    ],
)
def test_range_accepts_versions_by_number(version: str, accepted: str, expected: bool) -> None:
    """Numbers are compared as numbers: 100 is more than 26."""
    assert is_acceptable(version, accepted) is expected


def test_range_that_cannot_be_read_is_an_error() -> None:
    """A typing mistake in a recipe must not accept everything."""
    with pytest.raises(ValueError, match="not a version range"):
        is_acceptable("1.0.0", "~=1.0")
