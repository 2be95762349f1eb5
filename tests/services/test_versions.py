"""Precedence of semantic versions, and which of them a range allows. Pure."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import strategies as st
from semver import Version

from policies.services.ranges import Bound, Range, RangeRefused, parse_range
from policies.services.versions import is_lower, release_of, version_of
from tests.support.desired import service_spec
from tests.support.strategies import property_of

OPERATORS = ("", ">=", ">", "<=", "<", "=", "^", "~")
# The example of https://semver.org/spec/v2.0.0.html#spec-item-11, from the lowest to the highest.
IN_ORDER = (
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "2.1.10",
)

numbers = st.integers(0, 3)
releases = st.tuples(numbers, numbers, numbers)
identifiers = st.sampled_from(["0", "1", "10", "2", "a", "a-b", "0a", "-", "rc"])
prereleases = st.none() | st.lists(identifiers, min_size=1, max_size=3).map(".".join)
versions = st.builds(Version, numbers, numbers, numbers, prereleases)
partials = st.one_of(
    numbers.map(str),
    st.tuples(numbers, numbers).map(lambda parts: f"{parts[0]}.{parts[1]}"),
    versions.map(str),
)
comparators = st.tuples(st.sampled_from(OPERATORS), st.sampled_from(["", " "]), partials).map("".join)
alternatives = st.lists(comparators, min_size=1, max_size=3).map(" ".join)
ranges = st.lists(alternatives, min_size=1, max_size=2).map(" || ".join)


def parsed(text: str) -> Version:
    """A version that is one."""
    found = version_of(text)
    assert found is not None
    return found


def allowed(range_: str, *candidates: str) -> list[str]:
    """Those of ``candidates`` that are in the range."""
    found = parse_range(range_)
    return [one for one in candidates if found.allows(parsed(one))]


def test_versions_precede_one_another_as_the_specification_says() -> None:
    """Its own example, each pair both ways round."""
    for lower, higher in pairwise(map(parsed, IN_ORDER)):
        assert is_lower(lower, higher)
        assert not is_lower(higher, lower)


@property_of(versions, versions, versions)
def test_precedence_is_a_total_order(one: Version, other: Version, third: Version) -> None:
    """Of two versions one is lower, or they are the same; and lower than lower is lower."""
    assert is_lower(one, other) + is_lower(other, one) + (str(one) == str(other)) == 1
    if is_lower(one, other) and is_lower(other, third):
        assert is_lower(one, third)


@property_of(versions, st.sampled_from(["", "+1", "+build.7"]), st.sampled_from(["", "+2"]))
def test_build_metadata_decides_nothing(version: Version, one: str, other: str) -> None:
    """Two builds of a version are that version."""
    left, right = parsed(f"{version}{one}"), parsed(f"{version}{other}")
    assert not is_lower(left, right)
    assert not is_lower(right, left)


@pytest.mark.parametrize(
    "text", ["", "1", "1.4", "v1.4.0", "01.4.0", "1.4.0-01", "1.4.0-", "1.4.0-a..b", "1.4.0\n", " 1.4.0", "1.4.1\u0660"]
)
def test_what_is_no_semantic_version_is_none(text: str) -> None:
    """Nothing is guessed."""
    assert version_of(text) is None


@pytest.mark.parametrize(
    ("tag", "semantic", "expected"),
    [
        ("v1.4.2", None, "1.4.2"),
        ("1.4.2", None, "1.4.2"),
        ("vv1.4.2", None, None),
        ("7.4", None, None),
        ("7.4.2-alpine", None, "7.4.2-alpine"),
        ("7.4.2-alpine", "7.4.2", "7.4.2"),
        ("main-3f2a", "2.0.0-rc.1+3f2a", "2.0.0-rc.1+3f2a"),
    ],
)
def test_a_service_has_the_version_that_it_says_or_its_tag(
    tag: str, semantic: str | None, expected: str | None
) -> None:
    """What is said counts before what the tag looks like."""
    spec = msgspec.structs.replace(service_spec(), version=tag, semantic_version=semantic)
    found = release_of(spec)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        (">=1.4 <2", ("1.4.0", "1.9.9"), ("1.3.9", "2.0.0", "1.5.0-rc.1", "2.0.0-rc.1")),
        ("1.4", ("1.4.0", "1.4.9"), ("1.3.9", "1.5.0", "1.5.0-0")),
        ("1", ("1.0.0", "1.9.0"), ("0.9.9", "2.0.0")),
        ("=1.4.2", ("1.4.2", "1.4.2+b"), ("1.4.1", "1.4.3", "1.4.2-rc.1")),
        (">1.4", ("1.5.0",), ("1.4.9", "1.4.0", "1.5.0-rc.1")),
        (">1", ("2.0.0",), ("1.9.9",)),
        (">1.4.1", ("1.4.2",), ("1.4.1",)),
        ("<=1.4", ("1.4.9", "0.0.0"), ("1.5.0", "1.5.0-0")),
        ("<=1.4.1", ("1.4.1",), ("1.4.2",)),
        ("<1.4", ("1.3.9",), ("1.4.0", "1.4.0-rc.1")),
        ("<1.4.1", ("1.4.0",), ("1.4.1",)),
        ("~1.4.2", ("1.4.2", "1.4.9"), ("1.4.1", "1.5.0")),
        ("~1.4", ("1.4.0",), ("1.5.0", "1.3.9")),
        ("~1", ("1.0.0", "1.9.9"), ("2.0.0",)),
        ("~0.0.2", ("0.0.2", "0.0.9"), ("0.1.0", "0.0.1")),
        ("^1.4.2", ("1.4.2", "1.9.0"), ("1.4.1", "2.0.0", "2.0.0-0")),
        ("^0.4.2", ("0.4.2", "0.4.9"), ("0.5.0", "0.4.1")),
        ("^0.0.2", ("0.0.2",), ("0.0.1", "0.0.3")),
        ("^0.0", ("0.0.0", "0.0.9"), ("0.1.0",)),
        ("^0", ("0.0.0", "0.9.9"), ("1.0.0",)),
        ("^0.0.0", ("0.0.0",), ("0.0.1",)),
        ("^1.4", ("1.4.0", "1.9.9"), ("2.0.0", "1.3.9")),
        ("^1.2.3-beta.2", ("1.2.3-beta.2", "1.2.3-beta.4", "1.2.3", "1.9.0"), ("1.2.3-beta.1", "1.2.4-beta.3")),
        (">=2.0.0-rc.1", ("2.0.0-rc.1", "2.0.0-rc.2", "2.0.0", "3.0.0"), ("2.0.0-alpha", "2.0.1-rc.1")),
        ("~1.4 || >=2.1", ("1.4.3", "2.1.0"), ("1.5.0", "2.0.9")),
        (">= 1.4   <  2", ("1.4.0",), ("2.0.0",)),
        ("  1.4  ||  2  ", ("1.4.0", "2.9.9"), ("1.5.0",)),
    ],
)
def test_a_range_allows_what_npm_allows(range_: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    """The cases that npm's own page explains, at their edges."""
    assert allowed(range_, *inside, *outside) == list(inside)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is nothing to compare with"),
        ("1.4 ||", "there is nothing to compare with"),
        ("||", "there is nothing to compare with"),
        (" ", "there is nothing to compare with"),
        ("1.4.x", "1.4.x is no comparator"),
        (">=1.4 latest", "latest is no comparator"),
        ("v1.4", "v1.4 is no comparator"),
        ("1.4<2", "1.4<2 is no comparator"),
        (">=1.04", ">=1.04 is no comparator"),
        ("1.4-rc.1", "1.4-rc.1 is no comparator"),
        ("=>1.4", "=>1.4 is no comparator"),
        ("1.4.0-01", "1.4.0-01 is no comparator"),
        (">=", ">= is no comparator"),
        ("1.4 - 2", "- is no comparator"),
        ("1|2", "1|2 is no comparator"),
        ("1.4.0.0", "1.4.0.0 is no comparator"),
    ],
)
def test_what_is_no_range_is_refused_with_its_first_wrong_part(text: str, why: str) -> None:
    """So that a person finds it."""
    with pytest.raises(RangeRefused) as refused:
        parse_range(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    "text", [">=2 <2", ">1.4.1 <1.4.2", "<0", "=1.4.1 =1.4.2", ">=1.5.0-a <1.5.0-a", "^1 ^2 || <0.0.0"]
)
def test_a_range_that_nothing_satisfies_is_known_as_such(text: str) -> None:
    """Whatever the versions are."""
    assert not parse_range(text).is_possible()


@pytest.mark.parametrize("text", [">1.4.1 <1.4.3", ">1.0.0-a <1.0.0-a.1", "<=0.0.0", ">=1.0.0-a <1.0.0", "^1 ^2 || 3"])
def test_a_narrow_range_is_possible(text: str) -> None:
    """Something lies in it, if only a pre-release."""
    assert parse_range(text).is_possible()


@property_of(ranges, versions)
def test_what_allows_a_version_is_possible(text: str, version: Version) -> None:
    """No range is called impossible that a version is in."""
    found = parse_range(text)
    assert found.is_possible() or not found.allows(version)


@property_of(alternatives)
def test_what_is_possible_allows_a_version_near_its_bounds(text: str) -> None:
    """The bounds, what follows each and what precedes it: one of them is in every range that is possible."""
    found = parse_range(text)
    near = [
        parsed(f"{major}.{minor}.{patch}{prerelease}")
        for major in range(5)
        for minor in range(5)
        for patch in range(5)
        for prerelease in ("", "-0", *_after(found))
    ]
    assert found.is_possible() == any(map(found.allows, near))


def _after(found: Range) -> list[str]:
    texts = [bound.version.prerelease for bounds in found.alternatives for bound in bounds if bound.version.prerelease]
    return [f"-{text}{more}" for text in texts for more in ("", ".0")]


@property_of(ranges, versions)
def test_alternatives_hold_one_by_one_and_comparators_together(text: str, version: Version) -> None:
    """A range is the union of its alternatives; of a release an alternative is what all its comparators allow."""
    parts = text.split(" || ")
    assert parse_range(text).allows(version) == any(parse_range(part).allows(version) for part in parts)
    if version.prerelease is None:
        for part in parts:
            bounds = parse_range(part).alternatives[0]
            assert parse_range(part).allows(version) == all(bound.allows(version) for bound in bounds)


@property_of(st.sampled_from(OPERATORS), releases, releases)
def test_whole_versions_compare_like_their_numbers(
    operator: str, wanted: tuple[int, int, int], found: tuple[int, int, int]
) -> None:
    """Of releases, without any of the code that is tested: tuples of numbers."""
    major, minor, patch = wanted
    ends = {
        "": found == wanted,
        "=": found == wanted,
        ">=": found >= wanted,
        ">": found > wanted,
        "<=": found <= wanted,
        "<": found < wanted,
        "~": wanted <= found < (major, minor + 1, 0),
        "^": wanted <= found < _caret_end(major, minor, patch),
    }
    text = f"{operator}{major}.{minor}.{patch}"
    assert parse_range(text).allows(Version(*found)) == ends[operator]


def _caret_end(major: int, minor: int, patch: int) -> tuple[int, int, int]:
    if major:
        return (major + 1, 0, 0)
    return (0, minor + 1, 0) if minor else (0, 0, patch + 1)


@property_of(st.sampled_from(OPERATORS), partials, versions)
def test_a_pre_release_takes_its_own_consent(operator: str, partial: str, version: Version) -> None:
    """It is in a range only where that names a pre-release of the same release."""
    if version.prerelease is not None and parse_range(f"{operator}{partial}").allows(version):
        named = parsed(partial)
        assert named.prerelease is not None
        assert named.finalize_version() == version.finalize_version()


def test_a_bound_compares_pre_releases_like_any_other() -> None:
    """Only a range as a whole knows of consent."""
    assert Bound(">=", parsed("1.0.0")).allows(parsed("2.0.0-rc.1"))
