"""docs/gallery: a page for each pull request, and one that leads to them. Pure.

The comment is shown as it is; only its headings are one level lower, below those of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipelines.preview.sentences import title
from scripts.example.page import for_site
from scripts.example.repository import ROOT
from scripts.gallery.scenes import Scene
from scripts.gallery.telling import Told

FOLDER = ROOT / "docs" / "gallery"
INDEX = "index.md"
MOST_LINES = 60  # of a diff
_HEADING = re.compile(r"^(?=##)", re.MULTILINE)

_PAGE = """\
# {title}

{author}

```diff
{diff}
```

## What ADX shows

{comment}

## The same in a terminal

```text
{terminal}
```

## What a reviewer decides

{decision}
"""

_INDEX = """\
# Ten pull requests

What a reviewer is shown of ten ordinary pull requests on the sample shop: the comment, the terminal at 80 columns, and
what to make of it. What blocks or deletes comes first; what is folded is for those who doubt.

| pull request | what the comment says first | |
|---|---|---|
{rows}
All of them start from the same shop: the samples of this repository, delivered to `development`, `staging` and
`production`, with staging's databases on a PostgreSQL server and orders in them.

**Where it comes from.** The histories are real: `scripts/gallery/changes.py` makes each branch, and the promotion is
compared with what `adx promote` proposes. What the engine planned, the databases counted and the policies found was
recorded on a local stack by `python -m scripts.gallery --record` (Vault encrypted the secrets), which also makes sure
that `adx preview` prints the same. It takes about ten minutes. From that, `python -m scripts.gallery` writes these
pages with today's code. Tests hold them equal, and find out when the samples render other objects than were recorded.
After a change of the texts, `ADX_UPDATE_GOLDEN=1 pytest tests/gallery` writes pages and golden files anew.
"""


def pages(told: Mapping[str, Told], scenes: Sequence[Scene]) -> dict[str, str]:
    """The text of each page by its file's name; ``told`` by the name of the scene."""
    return {INDEX: index(told, scenes), **{file_of(one): page(one, told[one.name]) for one in scenes}}


def file_of(scene: Scene) -> str:
    """The name of the page's file."""
    return f"{scene.name.replace('_', '-')}.md"


def index(told: Mapping[str, Told], scenes: Sequence[Scene]) -> str:
    """The page that leads to the others."""
    rows = "".join(_row(scene, told[scene.name]) for scene in scenes)
    return _INDEX.format(rows=rows)


def page(scene: Scene, told: Told) -> str:
    """The page of one pull request."""
    return _PAGE.format(
        title=scene.title,
        author=scene.author,
        diff=_cut(told.diff),
        comment=embedded(told.comment),
        terminal=told.terminal.strip("\n"),
        decision=scene.decision,
    )


def embedded(comment: str) -> str:
    """``comment`` fit for the site and for GitHub, below headings of the second level."""
    return for_site(_HEADING.sub("#", comment.strip()))


def _row(scene: Scene, told: Told) -> str:
    sentence = next(line.strip("*") for line in told.comment.splitlines() if line.startswith("**"))
    return f"| [{scene.title}]({file_of(scene)}) | {title(told.report)} | {sentence} |\n"


def _cut(diff: str) -> str:
    lines = diff.splitlines()
    more = len(lines) - MOST_LINES
    return "\n".join(lines if more <= 0 else [*lines[:MOST_LINES], f"… {more} more lines like these"])
