"""What a person may type to name a declaration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.explaining.address import Address, UnknownDeclaration, file_in, parse

FILE = "environments/staging/services.yaml"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["tenants/acme.yaml"], Address(file="tenants/acme.yaml")),
        ([f"{FILE}:42"], Address(file=FILE, line=42)),
        ([f"{FILE}:42:7"], Address(file=FILE, line=42)),
        ([f"{FILE}#services.frontend"], Address(file=FILE, path="services.frontend")),
        ([f"{FILE}#values.a.B:1"], Address(file=FILE, path="values.a.B:1")),
        (["staging", "service/frontend"], Address(environment="staging", unit="service/frontend")),
        (["staging service/frontend"], Address(environment="staging", unit="service/frontend")),
        (["tenant/acme"], Address(unit="tenant/acme")),
        (["staging", "platform"], Address(environment="staging", unit="platform")),
    ],
)
def test_every_form_is_understood(words: list[str], meant: Address) -> None:
    """Files with line or path as tools print them, units alone or in an environment."""
    assert parse(words) == meant


@pytest.mark.parametrize("words", [["a", "b", "c"], [""], ["staging", "frontend"]])
def test_anything_else_is_answered_with_the_forms_there_are(words: list[str]) -> None:
    """Whoever types something else learns what can be typed."""
    with pytest.raises(UnknownDeclaration) as refused:
        parse(words)

    assert "FILE:LINE" in refused.value.next_step


def test_a_file_is_found_from_where_one_stands_and_by_its_full_path(tmp_path: Path) -> None:
    """A shell completes paths from the working folder, editors give full ones; both mean the repository's path."""
    folder = tmp_path / "repository"
    (folder / "tenants").mkdir(parents=True)
    (folder / "tenants" / "acme.yaml").touch()

    typed = [(folder, "tenants/acme.yaml"), (folder, "./tenants/acme.yaml"), (folder / "tenants", "acme.yaml")]
    found = [file_in(folder, standing, file) for standing, file in typed]
    found.append(file_in(folder, tmp_path, str(folder / "tenants" / "acme.yaml")))

    assert found == ["tenants/acme.yaml"] * 4


def test_a_file_elsewhere_is_left_as_it_was_typed(tmp_path: Path) -> None:
    """It may be one that only a commit has."""
    assert file_in(tmp_path / "repository", tmp_path, "./tenants/gone.yaml") == "tenants/gone.yaml"
