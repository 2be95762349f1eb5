"""``python -m pipelines.cli``: the `adx` command for processes that know their Python and not their PATH."""

from __future__ import annotations

from pipelines.cli import main

main()
