"""A hand-written namespace on a real cluster: what is proposed, and all that is said about it, as golden files.

``ADX_UPDATE_GOLDEN=1 pytest`` writes them anew; read the difference.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.importing.model import Imported
from pipelines.screens.importing import import_screen
from pipelines.validate import validate
from tests.importing.cluster import CANARY, anonymous, imported, namespace_of, people, ran_import
from tests.support.local_stack import LocalStack

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def namespace(local_stack: LocalStack) -> Iterator[str]:
    """A namespace with the objects of people.yaml."""
    with namespace_of(local_stack, f"people-{uuid.uuid4().hex[:8]}", people()) as name:
        yield name


@pytest.fixture(scope="module")
def answer(local_stack: LocalStack, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `adx import` says of it to an empty repository."""
    return imported(local_stack, namespace, "--env", "live", repository=tmp_path_factory.mktemp("empty"))


def drawn(found: Imported) -> str:
    """What a pipe of 80 columns gets of an import that wrote its files."""
    stream = io.StringIO()
    screen = import_screen(found, Path())
    Console(file=stream, width=80, highlight=False, markup=False, emoji=False).print(screen)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def golden(name: str, text: str) -> str:
    """The text of the golden file ``name``; written anew when that is asked for."""
    path = GOLDEN / name
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path.read_text()


def test_everything_about_it_is_said(answer: dict[str, Any], namespace: str) -> None:
    """The table at 80 columns: each of sidecar, init container, volume, hostNetwork, … with its place and reason."""
    text = drawn(anonymous(answer, namespace))

    assert text == golden("people.txt", text)
    assert max(map(len, text.splitlines())) <= 80


def test_the_files_say_the_same_beside_their_lines(answer: dict[str, Any], namespace: str) -> None:
    """The files, comments included."""
    for file in anonymous(answer, namespace).files:
        assert file.text == golden(f"people.{Path(file.path).name}", file.text)


def test_the_proposal_is_valid_and_no_secret_leaves_the_cluster(
    local_stack: LocalStack, namespace: str, answer: dict[str, Any], tmp_path: Path
) -> None:
    """Below the folder that is named, whatever the repository is; no Secret's content or token in clear is anywhere."""
    repository, folder = tmp_path / "repository", tmp_path / "folder"
    (repository / "tenants").mkdir(parents=True)
    (repository / "tenants/broken.yaml").write_text("kind: Tenant\n")
    ran = ran_import(local_stack, namespace, "--env", "live", "--write", str(folder), repository=repository)
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}

    assert ran.code == 0, ran.err
    assert validate(folder).problems == ()
    assert texts == {file["path"]: file["text"] for file in answer["files"]}
    assert "API_TOKEN: vault:kv/secrets/live/cart#API_TOKEN" in texts["environments/live/configuration.yaml"]
    assert CANARY not in ran.out + ran.err + json.dumps(answer)


def test_a_namespace_that_runs_is_never_delivered_into_unwarned(
    local_stack: LocalStack, namespace: str, tmp_path: Path
) -> None:
    """The one that was read, and any other that is there and others', another environment of ADX's too."""
    into = imported(local_stack, namespace, "--env", "live", "--into", namespace, repository=tmp_path)
    with namespace_of(local_stack, f"{namespace}-taken", []) as taken:
        beside = imported(local_stack, namespace, "--env", "live", "--into", taken, repository=tmp_path)
    labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": "elsewhere"}
    of_another = {"kind": "Namespace", "metadata": {"labels": labels}}
    with namespace_of(local_stack, f"{namespace}-elsewhere", [of_another]) as elsewhere:
        another = imported(local_stack, namespace, "--env", "live", "--into", elsewhere, repository=tmp_path)
        own = imported(local_stack, namespace, "--env", "elsewhere", "--into", elsewhere, repository=tmp_path)

    for found, target, why in (
        (into, namespace, "others made this namespace, so that a delivery into it is refused"),
        (beside, taken, "others made this namespace, so that a delivery into it is refused"),
        (
            another,
            elsewhere,
            "ADX's environment elsewhere has this namespace, so that a delivery of live into it is refused",
        ),
    ):
        first = found["rows"][0]
        assert (first["kind"], first["object"]) == ("danger", f"Namespace/{target}")
        assert why in first["what"]
        assert not any("merge:" in step for step in found["next_steps"])
    assert own["rows"][0]["kind"] != "danger"


def test_wishes_that_cannot_be_met_are_refused(local_stack: LocalStack, namespace: str, tmp_path: Path) -> None:
    """A namespace that is not there, a tenant without its environment, a name that is none."""
    missing = ran_import(local_stack, f"{namespace}-none", "--env", "live", repository=tmp_path)
    alone = ran_import(local_stack, namespace, "--env", "live", "--tenant", "acme", repository=tmp_path)
    (tmp_path / "environments" / "half").mkdir(parents=True)
    sample = Path(__file__).parents[2] / "environments" / "development" / "environment.yaml"
    half = sample.read_text().replace("name: development", "name: half")
    (tmp_path / "environments" / "half" / "environment.yaml").write_text(half)
    unfinished = ran_import(local_stack, namespace, "--env", "half", "--tenant", "acme", repository=tmp_path)
    misnamed = ran_import(local_stack, namespace, "--env", "Live", repository=tmp_path)

    assert (missing.code, alone.code, misnamed.code) == (6, 6, 2)
    assert "has no namespace" in missing.err
    assert (unfinished.code, "services.yaml is not there" in unfinished.err) == (6, True), unfinished.err
    assert "declares no environment live" in alone.err
