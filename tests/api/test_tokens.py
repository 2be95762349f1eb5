"""Tokens: made once, kept as digests, read again when their file changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.api.serving import known_of, rate_of
from pipelines.api.tokens import FILE_SETTING, LIST_SETTING, LOCAL, TokenFile, TokensRefused, add_to_file, made
from pipelines.http.bearer import digest_of_token
from workflows.errors import AdxValidationError


def entry(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "role": "read", "token_sha256": digest_of_token(name), **changes}


def test_a_token_is_known_again_and_its_file_does_not_hold_it(tmp_path: Path) -> None:
    """With what it may, and readable by its owner alone."""
    file = tmp_path / "tokens.json"
    token, caller = made("ci", "migrate", ["staging"], [])
    other, second = made("grafana", "read", [], [])
    add_to_file(file, caller)
    add_to_file(file, second)
    known = TokenFile(file).known

    assert known(f"Bearer {token}") == caller
    assert known(f"bearer {other} ") == second
    assert known(f"Bearer {token[:-1]}") is None
    assert known(f"Bearer {caller.token_sha256}") is None
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_token_that_is_taken_away_is_refused_by_a_running_server(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps([entry("a"), entry("b")]))
    known = TokenFile(file).known
    assert known("Bearer a") is not None

    file.write_text(json.dumps([entry("b")]))
    assert known("Bearer a") is None
    assert known("Bearer b") is not None


@pytest.mark.parametrize("content", ["[", None])
def test_a_file_that_cannot_be_read_any_more_lets_nobody_in_until_it_is_mended(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps([entry("a")]))
    known = TokenFile(file).known
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert known("Bearer a") is None

    file.write_text(json.dumps([entry("a"), entry("b")]))
    assert known("Bearer a") is not None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        json.dumps([entry("a", token_sha256="a")]),
        json.dumps([entry("a", role="root")]),
        json.dumps([entry("a", tenant=["acme"])]),
        json.dumps([entry("a"), entry("b", token_sha256=digest_of_token("a"))]),
        json.dumps([entry("a"), entry("a", token_sha256=digest_of_token("b"))]),
        json.dumps([entry("a\nlevel=error")]),
    ],
)
def test_a_list_that_is_not_sound_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(content)

    with pytest.raises(TokensRefused):
        known_of({FILE_SETTING: str(file)}, "127.0.0.1:1")
    if content:
        with pytest.raises(TokensRefused):
            known_of({LIST_SETTING: content}, "127.0.0.1:1")


@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Basic x"])
def test_no_token_is_nobodys_even_where_its_digest_is_listed(authorization: str | None) -> None:
    known = known_of({LIST_SETTING: json.dumps([entry("a", token_sha256=digest_of_token(""))])}, "127.0.0.1:1")

    assert known(authorization) is None


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """The file stays as it was."""
    file = tmp_path / "tokens.json"
    add_to_file(file, made("ci", "read", [], [])[1])
    before = file.read_bytes()

    with pytest.raises(TokensRefused, match="same name"):
        add_to_file(file, made("ci", "admin", [], [])[1])
    assert file.read_bytes() == before


@pytest.mark.parametrize("listen", ["0.0.0.0:8791", "[::]:8791", "192.0.2.1:8791", "localhost.example.com:1"])
def test_without_tokens_nobody_from_elsewhere_can_reach_it(listen: str) -> None:
    with pytest.raises(TokensRefused, match="from outside"):
        known_of({}, listen)
    assert known_of({LIST_SETTING: json.dumps([entry("a")])}, listen)(None) is None


@pytest.mark.parametrize("listen", ["127.0.0.1:8791", "[::1]:8791", "localhost:8791", ":8791", "8791"])
def test_this_machine_needs_no_token(listen: str) -> None:
    assert known_of({}, listen)(None) is LOCAL


@pytest.mark.parametrize("text", ["0", "-1", "many", "nan", "inf"])
def test_a_rate_is_a_positive_number(text: str) -> None:
    with pytest.raises(AdxValidationError):
        rate_of({"ADX_API_REQUESTS_PER_SECOND": text})
