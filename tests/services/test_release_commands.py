"""`adx services promote|abort|switch-back|releases` before they talk to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.command import Ran, adx, environment


def run(folder: Path, *arguments: str) -> Ran:
    """`adx services …` without any setting."""
    return adx("services", *arguments, environ=environment(folder / "home", COLUMNS="80"), folder=folder)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("abort", "production", "cart"), "--reason"),
        (("abort", "production", "cart", "--reason", " "), "say why"),
        (("promote", "production"), "SERVICE"),
        (("switch-back", "production", "cart"), "cart"),
        (("releases", "production", "--limit", "0"), "--limit"),
    ],
)
def test_a_wrong_line_is_said_before_anybody_is_asked(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    """Exit status 2: an abort has a reason, a switch-back is about no single service."""
    ended = run(tmp_path, *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        (("promote", "production", "cart", "--full"), "ADX_TEMPORAL_ADDRESS"),
        (("switch-back", "production"), "ADX_TEMPORAL_ADDRESS"),
        (("releases",), "ADX_LEDGER_URL"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, arguments: tuple[str, ...], setting: str) -> None:
    """Exit status 6, and no traceback."""
    ended = run(tmp_path, *arguments)

    assert (ended.code, ended.out) == (6, "")
    assert setting in ended.err
    assert "Traceback" not in ended.err


def test_a_switch_back_says_that_it_is_about_the_whole_rollout(tmp_path: Path) -> None:
    """Nobody takes it for one service."""
    text = " ".join(run(tmp_path, "switch-back", "--help").out.split())

    assert "of all its services at once" in text
    assert "whole rollout" in text
