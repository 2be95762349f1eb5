"""Serves the Pulumi program to one operation: a language host of its own, run as a process of its own.

Takes the place of Pulumi's language plugin and what that starts (three Python
processes, one of them ``pip list``). Its imports run while pulumi starts, which
together takes a third off every operation. It uses the same mechanism as
Pulumi's Automation API: the CLI is told where a language host listens.

Prints the port it listens on as its first line. Ends when its standard input
does, so that it never outlives the engine.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped] # grpcio has no type information

IMPORT_FAILED = 3


class LateHandler(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no type information
    """Accepts calls at once and answers them when the real handler has been imported."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []
        self._is_ready = threading.Event()

    def service(self, handler_call_details: Any) -> Any:
        """The method that answers the call, as grpc asks for it."""
        self._is_ready.wait()
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((method for method in found if method is not None), None)

    def add_generic_rpc_handlers(self, handlers: tuple[Any, ...]) -> None:
        """Take over the handlers that the generated code registers."""
        self._handlers.extend(handlers)
        self._is_ready.set()

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """The generated code's other way to register the same methods; not needed."""


def serve_program(handler: LateHandler) -> None:
    """Import the program and begin to answer."""
    from pulumi.automation._server import LanguageServer  # noqa: PLC0415 - while pulumi starts
    from pulumi.runtime.proto import language_pb2_grpc  # noqa: PLC0415

    from infra.program import run  # noqa: PLC0415

    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(run), handler)


def main() -> None:
    """Listen on a free port, say which, then import the program; runs until standard input ends."""
    handler = LateHandler()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201 - this line is the interface
    try:
        serve_program(handler)
    except Exception:  # noqa: BLE001 - whatever it was, pulumi must not wait for it
        import traceback  # noqa: PLC0415 - only on failure

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(IMPORT_FAILED)  # calls wait for the handler: a normal exit would wait for them
    sys.stdin.buffer.read()
    os._exit(0)  # pending calls belong to an operation that is over


if __name__ == "__main__":
    main()
