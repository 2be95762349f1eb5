"""A Vault that is sealed, failing or overloaded: scripted answers, each class of error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from policies.errors import AdxError
from workflows.clients.vault import Transit, VaultDenied, VaultRefused, VaultUnreachable

CANARY = "canary-token-40d1"


@contextmanager
def scripted(status: int) -> Iterator[str]:
    """The address of a server that gives every request this answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = f'{{"errors": ["because of {CANARY}"]}}'.encode()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (503, VaultUnreachable),  # sealed
        (500, VaultUnreachable),
        (502, VaultUnreachable),
        (429, VaultUnreachable),
        (403, VaultDenied),
        (400, VaultRefused),
        (404, VaultRefused),
    ],
)
def test_each_answer_has_its_class_and_repeats_nothing(status: int, kind: type[AdxError]) -> None:
    with scripted(status) as address:
        transit = Transit.from_settings({"VAULT_ADDR": address, "VAULT_TOKEN": CANARY}, "adx")

        with pytest.raises(kind) as caught:
            transit.encrypt(b"anything")

    assert type(caught.value) is kind
    assert caught.value.next_step
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
