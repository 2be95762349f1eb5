"""Repositories to explain: the samples of this one, and a small one to be edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.explaining.address import parse
from pipelines.explaining.explain import explain
from pipelines.explaining.model import Explanation
from policies.folder_tree import FolderTree
from tests.support.declared import base_documents

SAMPLES = Path(__file__).parents[2]


def explained(folder: Path, *words: str) -> Explanation:
    """What the files of ``folder`` say about an address."""
    return explain(FolderTree(folder), parse(words), " ".join(words))


def written(folder: Path, documents: Mapping[str, Any] | None = None) -> Path:
    """``folder`` with ``documents`` (default: the small base) as files."""
    for path, document in (base_documents() if documents is None else documents).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.safe_dump(document, sort_keys=False))
    return folder
