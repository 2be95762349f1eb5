"""The page docs/pull-request-comment.md, from what `adx` has printed. Pure."""

from __future__ import annotations

import re

from scripts.example.proposal import BRANCH, ENVIRONMENT
from scripts.example.repository import ROOT

TARGET = ROOT / "docs" / "pull-request-comment.md"
PREVIEW = ("preview", "--base", "main", "--head", BRANCH)
MARKDOWN = (*PREVIEW, "--format", "markdown")

_NESTED = re.compile(r"^  - ", re.MULTILINE)
_PAGE = """\
# The comment on a pull request

Every pull request gets one comment, which each push edits. This is a real one: the samples of this repository were
delivered to `{environment}` on the local stack, with tenants in [waves](waves.md), and a branch was previewed that

- raises the version of `checkoutservice` and changes a text of `frontend`,
- raises the quota of `lumen-pharmacy`,
- adds the tenant `quayside-books` and takes `brightside-kids` out of `{environment}`,
- drops the liveness probe of `adservice`, which the policies warn of and do not forbid.

```sh
adx {command}
```

Written by `python -m scripts.example`. How the comment gets to GitHub: [pull-requests.md](pull-requests.md).

---

{comment}

---

## The same in a terminal

`adx {terminal_command}`, at 80 columns; `--full` shows every property that differs.

```text
{terminal}
```
"""


def page(comment: str, terminal: str) -> str:
    """The page around the comment (Markdown) and the screen (text)."""
    return _PAGE.format(
        environment=ENVIRONMENT,
        command=" ".join(MARKDOWN),
        terminal_command=" ".join(PREVIEW),
        comment=for_site(comment.strip()),
        terminal="\n".join(line.rstrip() for line in terminal.strip("\n").splitlines()),
    )


def for_site(comment: str) -> str:
    """``comment`` so that the site shows it as GitHub does: it must be told of Markdown in HTML, and nests by four."""
    return _NESTED.sub("    - ", comment.replace("<details>", '<details markdown="1">'))
