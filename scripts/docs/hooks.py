"""What mkdocs is told beside ``mkdocs.yml``; the functions' names are those of its events.

* Pages that are made from the source are added to the files of docs/.
* Headings get the anchors that git hostings give them, so that one link works in both places.
* ``folder/*.md`` in the navigation stands for the files of that folder, its index first.
* Links out of docs/ lead to the repository's hosting (``extra.repository``), or name the file. A link to a file that
  does not exist is a warning, and so an error of the strict build.
* The tables of benchmarks are filled in, flowcharts drawn.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify  # type: ignore[import-untyped] # it has no types

from scripts.docs import benchmarks, commands, error_tree, hosting_markdown, http_api, source_links

GENERATED = {
    "reference/commands.md": commands.render,
    "reference/http-api.md": http_api.render,
    "reference/errors.md": error_tree.render,
}
ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger("mkdocs.hooks.adx")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set what a YAML file cannot say: the function that makes anchors, and the files that a pattern stands for."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    config.nav = _expanded(config.nav, Path(config.docs_dir))
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    """``entry`` of the navigation (a list, a title with what is below it, or a place) without patterns."""
    if isinstance(entry, dict):
        return {title: _expanded(below, docs) for title, below in entry.items()}
    if not isinstance(entry, list):
        return entry
    found: list[Any] = []
    for one in entry:
        if isinstance(one, str) and "*" in one:
            files = sorted(docs.glob(one), key=lambda file: (file.name != "index.md", file.name))
            found += [file.relative_to(docs).as_posix() for file in files]
        else:
            found.append(_expanded(one, docs))
    return found


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for place, render in GENERATED.items():
        files.append(File.generated(config, place, content=render()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs passes all by name
    """Rewrite the links out of docs/, fill in the benchmarks, draw flowcharts."""
    repository = str(config.extra.get("repository") or "").rstrip("/")

    def address_of(path: str) -> str:
        if not (ROOT / path).exists():
            _log.warning("%s links to %s, which does not exist", page.file.src_uri, path)
        return f"{repository}/{path}" if repository else ""

    text = hosting_markdown.rendered(benchmarks.filled(markdown) if benchmarks.BEGIN in markdown else markdown)
    return source_links.rewritten(text, f"docs/{page.file.src_uri}", "docs", address_of)
