"""Free TCP ports on 127.0.0.1, remembered by the record so that addresses stay the same."""

from __future__ import annotations

import random
import socket

from scripts.errors import StackError

# Below the range from which systems take the local ports of outgoing connections:
# a port found free here is not taken by a passing client a moment later.
_LOWEST, _HIGHEST = 20_000, 31_999
_ATTEMPTS = 500
# Not the module's own generator: two processes that seed it alike would look for the same ports.
_CHANCE = random.SystemRandom()


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(taken: set[int]) -> int:
    """A free port that is not in ``taken``; StackError when none can be found."""
    for _ in range(_ATTEMPTS):
        port = _CHANCE.randint(_LOWEST, _HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise StackError(
        f"no free port was found between {_LOWEST} and {_HIGHEST}", next_step="end programs that hold ports there"
    )
