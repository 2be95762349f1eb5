"""The files after a promotion: the lines that change, on the samples of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.promotion.documents import documents_of
from pipelines.promotion.edits import FileNotEditable, diff_of, edited
from pipelines.promotion.model import KINDS, Change, Kind
from pipelines.promotion.rules import Wish, verdict

ENVIRONMENTS = Path(__file__).parents[2] / "environments"


def files_of(environment: str) -> dict[Kind, str]:
    """The sample's documents by kind."""
    return {kind: (ENVIRONMENTS / environment / f"{kind}.yaml").read_text() for kind in KINDS}


def test_the_samples_are_promoted_with_nothing_but_their_versions() -> None:
    """Comments, order and blank lines stay; replicas, values and flags that production chose stay too."""
    source, target = (
        documents_of(*(files_of(name)[kind].encode() for kind in KINDS)) for name in ("staging", "production")
    )
    found = verdict(
        Wish("staging", "production"), source, target, rules=None, history=lambda: [(source.cells(), target.cells())]
    )

    after = edited("production", files_of("production"), found.changes)

    assert list(after) == ["environments/production/services.yaml"]
    shown = diff_of({"environments/production/services.yaml": files_of("production")["services"]}, after)
    changed = [line for line in shown.splitlines() if line[0] in "+-" and line[:3] not in {"+++", "---"}]
    assert set(changed) == {"-    version: v0.10.4", "+    version: v0.10.5"}
    assert len(changed) == 2 * len(found.changes) == 18
    assert {"frontend.FRONTEND_MESSAGE", "loadgenerator"} < {one.name for one in found.kept}


def test_every_kind_of_change_reads_as_it_should() -> None:
    """A variable added and one removed, a value, a flag changed and one added."""
    changes = [
        Change(kind="services", path=("frontend", "env", "PORT"), unit="", before="8080", after="9090"),
        Change(kind="services", path=("frontend", "env", "NEW"), unit="", after="no"),
        Change(kind="services", path=("frontend", "env", "AD_SERVICE_ADDR"), unit="", before="x"),
        Change(kind="configuration", path=("frontend", "ENV_PLATFORM"), unit="", before="aws", after="gcp"),
        Change(kind="flags", path=("beta",), unit="", after={"type": "boolean", "enabled": False}),
    ]

    after = edited("production", files_of("production"), changes)

    before = {f"environments/production/{kind}.yaml": text for kind, text in files_of("production").items()}
    shown = diff_of(before, after).splitlines()
    assert [line for line in shown if line[0] in "+-" and line[:3] not in {"+++", "---"}] == [
        "-    ENV_PLATFORM: aws",
        "+    ENV_PLATFORM: gcp",
        "+  - name: beta",
        "+    type: boolean",
        "+    enabled: false",
        '-      PORT: "8080"',
        '+      PORT: "9090"',
        "-      AD_SERVICE_ADDR: adservice:9555",
        '+      NEW: "no"',
    ]


def test_a_file_that_cannot_be_edited_is_named_with_its_place() -> None:
    """An anchor may be used in places that nobody thinks of."""
    files = {**files_of("production"), "configuration": "values:\n  frontend:\n    A: &a 1\n"}
    change = Change(kind="configuration", path=("frontend", "A"), unit="", before=1, after=2)

    with pytest.raises(FileNotEditable, match=r"environments/production/configuration\.yaml:3:8 .*anchors"):
        edited("production", files, [change])
