"""Links of a page to files of the repository that are not part of the site, such as ``../policies/schemas.py``.

Who reads the page at a git hosting follows them as they are. In the site they
lead to the hosting where it is known, and otherwise name the file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# What is kept as it is comes first: fenced blocks, then code in a line; a link's text may hold code itself.
_PARTS = re.compile(
    r"(?P<fence>^(?P<marks>`{3,}|~{3,})[^\n]*\n.*?^(?P=marks)[ \t]*$)"
    r"|(?P<open>!?)\[(?P<text>(?:`[^`\n]*`|[^\[\]`])*)\]\((?P<target>[^()\s]+)\)"
    r"|(?P<code>`[^`\n]*`)",
    re.MULTILINE | re.DOTALL,
)
_ABSOLUTE = re.compile(r"^([a-z][a-z0-9+.-]*:|/|#)", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """One relative link: its text, the target as written, and the path in the repository that it leads to."""

    text: str
    target: str
    path: str


def links(text: str, page: str) -> Iterator[Link]:
    """Relative links and pictures of the Markdown ``text``, which stands at ``page`` (``docs/waves.md``)."""
    for match in _PARTS.finditer(text):
        if match["target"] and not _ABSOLUTE.match(match["target"]):
            yield _link(match, page)


def rewritten(text: str, page: str, root: str, address_of: Callable[[str], str]) -> str:
    """``text`` with each link out of the folder ``root`` led to ``address_of(path)``; where that is empty, named."""

    def replaced(match: re.Match[str]) -> str:
        if not match["target"] or _ABSOLUTE.match(match["target"]):
            return match[0]
        link = _link(match, page)
        if link.path.startswith(f"{root}/"):
            return match[0]
        address = address_of(link.path)
        if address:
            return f"{match['open']}[{link.text}]({address}{''.join(link.target.partition('#')[1:])})"
        named, name = f"`{link.path}`", posixpath.basename(link.path)
        is_named = link.text.strip("`") in {link.path, name, posixpath.splitext(name)[0]}
        return named if is_named else f"{link.text} ({named})"

    return _PARTS.sub(replaced, text)


def _link(match: re.Match[str], page: str) -> Link:
    bare = match["target"].partition("#")[0]
    return Link(match["text"], match["target"], posixpath.normpath(posixpath.join(posixpath.dirname(page), bare)))
