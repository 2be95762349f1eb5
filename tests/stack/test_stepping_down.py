"""PostgreSQL refuses to run as root; who started the stack as root may have its checkout where only root may enter."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.stack.parts import postgres


@pytest.mark.skipif(os.geteuid() != 0, reason="only root steps down")
def test_a_program_that_stepped_down_may_still_be_asked_for_below_a_closed_folder(tmp_path: Path) -> None:
    """As initdb asks: with access(2), whether it may run the server beside it."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = shutil.copy(sys.executable, closed / "server")
    question = "import os, sys; print(os.getuid(), os.access(sys.argv[1], os.X_OK))"
    command = [*postgres.without_root(), sys.executable, "-I", "-S", "-c", question, str(server)]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said == f"{pwd.getpwnam('nobody').pw_uid} True\n"
