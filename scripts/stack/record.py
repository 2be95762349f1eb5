"""What runs in a home, on disk: enough to ask, end and restart parts without their definitions."""

from __future__ import annotations

import msgspec

from scripts.errors import StackError
from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.probes import Probe


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One started part. A process is this part only if pid and start time (seconds since the epoch) both match.

    ``level`` is its depth in the graph of needs: parts are ended from the highest
    level down. ``log_offset`` is where this start begins in the log, in bytes.
    ``fingerprint`` tells whether the part would be started differently now.
    """

    name: str
    pid: int
    started_at: float
    level: int
    probe: Probe
    log_offset: int
    stop_signal: int
    grace_seconds: float
    address: str = ""
    fingerprint: str = ""


class Record(msgspec.Struct, kw_only=True):
    """The whole record. ``ports`` outlives the parts: a stack that comes back is found where it was.

    ``context`` is the user's own kubeconfig context, empty for the local control plane.
    ``optional`` are the optional parts in use: they change the settings of all others.
    """

    parts: dict[str, PartRecord] = {}
    ports: dict[str, int] = {}
    optional: tuple[str, ...] = ()
    context: str = ""
    toolchain_path: str = ""


def load(home: Home) -> Record:
    """The record of ``home``, empty when nothing was ever started; StackError when it cannot be read."""
    try:
        return msgspec.json.decode(home.record_file.read_bytes(), type=Record)
    except FileNotFoundError:
        return Record()
    except msgspec.MsgspecError as error:
        raise StackError(
            f"{home.record_file} cannot be read: {error}",
            next_step="end the processes that its pids name, then delete the file",
        ) from error


def save(home: Home, record: Record) -> None:
    """Replace the record in one step, mode 0600."""
    write_private(home.record_file, msgspec.json.format(msgspec.json.encode(record), indent=2))
