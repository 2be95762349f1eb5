"""What reviewers read of ten ordinary pull requests: golden files, the pages in docs/, and facts that still hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.engine.plan import Plan, ResourceChange
from scripts.gallery.facts import facts_of
from scripts.gallery.page import FOLDER, INDEX, file_of, index, page
from scripts.gallery.scenes import SCENES
from tests.gallery.told import BY_NAME, told
from tests.preview.golden import assert_golden
from tests.preview.plans import plan_between

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("name", BY_NAME)
def test_a_pull_request_reads_as_it_did(name: str) -> None:
    """In a comment, in a terminal of 80 columns, and on its page of the gallery."""
    found = told(name)
    assert_golden(f"{name}.md", found.comment, GOLDEN)
    assert_golden(f"{name}.txt", found.terminal, GOLDEN)
    assert_golden(file_of(BY_NAME[name]), page(BY_NAME[name], found), FOLDER)
    assert max(map(len, found.terminal.splitlines())) <= 80


def test_the_index_says_of_each_what_its_comment_says_first() -> None:
    """And the folder holds no page of a pull request that is gone."""
    assert_golden(INDEX, index({name: told(name) for name in BY_NAME}, SCENES), FOLDER)
    assert {path.name for path in FOLDER.iterdir()} == {INDEX, *map(file_of, SCENES)}
    assert {path.stem for path in GOLDEN.iterdir()} == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_what_was_recorded_is_what_the_samples_render_today(name: str) -> None:
    """The engine's own plan names the same objects and properties; else ``python -m scripts.gallery --record``."""
    states = told(name).states
    for kept in facts_of(BY_NAME[name]).environments:
        assert kept.plan is not None
        assert _differences(kept.plan) == _differences(plan_between(*states[kept.environment]))


def _differences(plan: Plan) -> set[tuple[str, ...]]:
    """What happens to which object, and what of it differs; the stack's own rows have no component."""
    return {_difference(one) for one in plan.changes if one.component}


def _difference(change: ResourceChange) -> tuple[str, ...]:
    return change.unit, change.type, change.name, change.action, *(field.path for field in change.fields)
