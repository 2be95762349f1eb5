"""Fixtures that every test may use live in plugins; this file only names them."""

from __future__ import annotations

pytest_plugins = ("tests.support.local_stack",)
