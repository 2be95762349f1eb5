"""What must stay secret in a running stack."""

from __future__ import annotations

import stat
from pathlib import Path

import psutil

from tests.support.local_stack import LocalStack, S3Server, VaultServer


def test_no_secret_is_in_any_command_line(
    local_stack: LocalStack, s3_server: S3Server, vault_server: VaultServer
) -> None:
    """Command lines can be read by every user of the machine."""
    secrets = {*_values(local_stack.stack.home / "secrets"), s3_server.secret_key, vault_server.token}
    command_lines = "\n".join(" ".join(_command_line(process)) for process in psutil.process_iter())
    assert len(secrets) > 8
    assert [secret for secret in secrets if secret in command_lines] == []


def test_no_secret_is_in_any_log(local_stack: LocalStack) -> None:
    """Logs are pasted into chats."""
    secrets = _values(local_stack.stack.home / "secrets")
    logs = "\n".join(path.read_text(errors="replace") for path in (local_stack.stack.home / "logs").glob("*.log"))
    assert logs
    assert [secret for secret in secrets if secret in logs] == []


def test_only_the_owner_can_read_the_home(local_stack: LocalStack) -> None:
    """The home, every secret, the record, the kubeconfig."""
    home = local_stack.stack.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = [*(home / "secrets").iterdir(), home / "stack.json", home / "kubeconfig"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_kubeconfig_runs_no_program(local_stack: LocalStack) -> None:
    """A token and an embedded authority: no exec, no files elsewhere."""
    text = local_stack.kubeconfig.read_text()
    assert "exec" not in text
    assert "certificate-authority-data" in text


def _values(folder: Path) -> set[str]:
    """The single-line secrets (keys in PEM form have many lines and are checked by their longest line)."""
    return {max(path.read_text().splitlines(), key=len) for path in folder.iterdir()}


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
