"""Entry point of ``pulumi``: the stack's name chooses the environment."""

from __future__ import annotations

from infra.program import run

if __name__ == "__main__":
    run()
