"""Worker and receiver as parts of the local stack. Describes processes; starts none."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from pipelines.settings import Settings
from scripts.stack import Command, Context, HttpProbe, Part
from scripts.stack.selection import KUBERNETES_PARTS

# The caller's environment stays outside, so that a shell set up for production cannot leak into a local worker;
# these name no server: how git authenticates, and switches of ADX itself.
_PASSED_ON = ("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "ADX_POLL_SECONDS", "ADX_ENCRYPT_PAYLOADS", "ADX_WEBHOOK_REPOSITORY")


def parts(settings: Settings) -> tuple[Part, Part]:
    """The two processes that deliver ``settings.repository``."""
    more = delivered(settings)
    return (
        _part("worker", more, needs=("temporal", "postgres", *sorted(KUBERNETES_PARTS)), path="/healthz"),
        _part("webhook", more, needs=("temporal", "postgres", "worker"), path="/webhooks/github"),
    )


def delivered(settings: Settings) -> dict[str, str]:
    """What is delivered: settings that the stack itself knows nothing of."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    return {"ADX_REPO": settings.repository, "ADX_BRANCH": settings.branch, **passed_on}


def _part(name: str, more: Mapping[str, str], *, needs: tuple[str, ...], path: str) -> Part:
    def command(context: Context) -> Command:
        listen = f"127.0.0.1:{context.port(name, 'http')}"
        # -P: what is imported is what was installed, whatever lies in the folder that this is started in.
        argv = (sys.executable, "-P", "-m", "pipelines.cli", name, "--listen", listen)
        return Command(argv, environment={**context.settings(), **more})

    return Part(
        name=name,
        command=command,
        probe=lambda context: HttpProbe(f"http://127.0.0.1:{context.port(name, 'http')}/readyz"),
        ports=("http",),
        needs=needs,
        grace_seconds=20.0,
        address=lambda context: f"http://127.0.0.1:{context.port(name, 'http')}{path}",
    )
