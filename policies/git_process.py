"""How git is run wherever ADX runs it: without hooks, prompts, system configuration or surprising protocols."""

from __future__ import annotations

SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "protocol.ext.allow": "never",
    "safe.directory": "*",
    "gc.auto": "0",
}


def hardened_environment() -> dict[str, str]:
    """Variables to lay over a process environment before git is started. See git-config(1), GIT_CONFIG_COUNT."""
    numbered = {f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(SETTINGS)}
    numbered |= {f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(SETTINGS.values())}
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(SETTINGS)),
        "LC_ALL": "C.UTF-8",
        **numbered,
    }
