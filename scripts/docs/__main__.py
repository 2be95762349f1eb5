"""``python -m scripts.docs``: writes the generated page that is committed, docs/declarations.md."""

from __future__ import annotations

from scripts.docs import declarations

if __name__ == "__main__":
    declarations.TARGET.write_text(declarations.render())
