"""The documentation site, built once and strictly: complete, self-contained, and true to the source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from pipelines.exit_codes import ExitCode
from scripts.docs import commands, error_tree, http_api, source_links

ROOT = Path(__file__).parents[2]
# What makes a browser fetch something by itself; a link that a reader clicks is none of them.
LOADING = {"src", "srcset", "data", "poster", "xlink:href"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload", "dns-prefetch", "manifest"}
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s]+)""")
PARAGRAPH = re.compile(r"<(?:p|li|td)>((?:(?!</(?:p|li|td)>).)*)", re.DOTALL)
CODE = re.compile(r"<pre>(?:(?!flowchart LR).)*?</pre>", re.DOTALL)
VARIABLE = re.compile(r"\bADX_[A-Z][A-Z_]*[A-Z]\b")
# What ADX says to processes that it starts itself; nobody sets it.
INTERNAL = {"ADX_POLICY_CONTEXT", "ADX_STACK_HOME", "ADX_STACK_INPUTS"}


class Page(HTMLParser):
    """What a test asks of a page: ids, the classes in use, what is loaded, where the navigation leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.classes: set[str] = set()
        self.loaded: set[str] = set(IN_STYLES.findall(text))
        self.navigation: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = set(given.get("class", "").split())
        self.classes |= classes
        self.ids |= {given["id"]} if "id" in given else set()
        self.loaded |= {given[name] for name in LOADING & given.keys()}
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.loaded.add(given["href"])
        if tag == "a" and "md-nav__link" in classes:
            self.navigation.add(given["href"].partition("#")[0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A page outside of the navigation, a dead link or a dead anchor ends the build."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_every_page_is_reached_from_the_navigation(site: Path) -> None:
    pages = {file.relative_to(site).as_posix() for file in site.rglob("*.html")} - {"404.html"}

    assert Page((site / "index.html").read_text()).navigation | {"index.html"} >= pages
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = {
        f"{file.relative_to(site)}: {address}"
        for file in site.rglob("*")
        if file.suffix in {".html", ".css", ".svg"}
        for address in _loaded(file)
        if urlsplit(address).netloc
    }

    assert not loaded


def _loaded(file: Path) -> set[str]:
    if file.suffix == ".css":
        return set(IN_STYLES.findall(file.read_text()))
    page = Page(file.read_text())
    # The theme's script fetches a library for each element of this class.
    return page.loaded | ({"//library-for-mermaid"} if "mermaid" in page.classes else set())


def test_no_list_table_or_flowchart_is_left_as_text(site: Path) -> None:
    """What a git hosting renders and the site does not: most often a line is missing before it, or its indent is 3."""
    left = [
        f"{file.relative_to(site)}: {text[:80]!r}"
        for file in site.rglob("*.html")
        for text in PARAGRAPH.findall(CODE.sub("", file.read_text().partition("<article")[2]))
        if re.search(r"\n\s*(?:[-*]|\d+\.) |(?:^|\n)\s*\||^flowchart ", text)
    ]

    assert left == []


def test_the_reference_names_every_command_with_its_options(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text()
    ids, text = Page(page).ids, unescape(re.sub(r"<[^>]+>", "", page))
    found = list(commands.commands())

    assert len(found) > 50
    assert [name for name, _ in found if name.replace(" ", "-") not in ids] == []
    options = {option for _, command in found for parameter in command.params for option in parameter.opts}
    assert [option for option in sorted(options) if option.startswith("-") and option not in text] == []


def test_the_reference_names_every_field_of_every_schema(site: Path) -> None:
    codes = re.findall(r"<code>([^<]*)</code>", (site / "declarations.html").read_text())
    named = {part.removesuffix("[]") for code in codes for part in unescape(code).split(".")}

    for file in (ROOT / "policies").glob("*/*schema.json"):
        missing = set(_fields(json.loads(file.read_bytes()))) - named
        assert not missing, f"{file}: run python -m scripts.docs"


def _fields(schema: Any) -> Iterator[str]:
    """Names under ``properties``, wherever in the schema."""
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if isinstance(schema, dict):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else ()
        for key, inner in schema.items():
            if key not in {"default", "enum", "const", "examples"}:
                yield from _fields(inner)


def test_the_reference_names_every_operation_and_every_error(site: Path) -> None:
    operations = (site / "reference" / "http-api.html").read_text()
    errors = (site / "reference" / "errors.html").read_text()

    for method, path, _ in http_api.operations(json.loads(http_api.DOCUMENT.read_bytes())):
        assert f"<code>{method.upper()} {path}</code>" in operations
    assert len(error_tree.errors()) > 100
    assert [found.__name__ for found in error_tree.errors() if f"<code>{found.__name__}</code>" not in errors] == []
    assert [status for status in ExitCode if f"<td><code>{status.value}</code></td>" not in errors] == []


def test_every_variable_that_is_read_is_a_documented_setting() -> None:
    pages = "".join(file.read_text() for file in (ROOT / "docs").glob("*.md"))
    documented = set(VARIABLE.findall(pages))

    missing = {f"{name} ({file})" for name, file in _variables() if name not in documented | INTERNAL}
    assert not missing, "name it in docs/settings.md"


def _variables() -> Iterator[tuple[str, str]]:
    for package in ("policies", "infra", "workflows", "pipelines", "scripts/stack", "scripts/toolchain"):
        for file in (ROOT / package).rglob("*.py"):
            for name in re.findall(rf'"({VARIABLE.pattern})"', file.read_text()):
                yield name, file.relative_to(ROOT).as_posix()


def test_links_work_for_readers_of_the_repository_too() -> None:
    """Pages that exist in the built site alone are dead links there; the navigation leads to them."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {link.target}"
        for page in pages
        for link in source_links.links(page.read_text(), page.relative_to(ROOT).as_posix())
        if not (ROOT / link.path).exists()
    ]

    assert dead == []
