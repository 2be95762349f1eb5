"""A Vault that is sealed, failing or overloaded: scripted answers, each class of error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from policies.errors import AdxError
from workflows.clients.vault.data_keys import DataKeys
from workflows.clients.vault.errors import VaultRefused, VaultTokenExpired, VaultUnreachable

CANARY = "canary-token-40d1"


@contextmanager
def scripted(status: int) -> Iterator[str]:
    """The address of a server that gives every request this answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

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
        (403, VaultTokenExpired),
        (400, VaultRefused),
        (404, VaultRefused),
    ],
)
def test_each_answer_has_its_class_and_repeats_nothing(status: int, kind: type[AdxError], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(CANARY)
    with scripted(status) as address:
        keys = DataKeys.from_settings({"VAULT_ADDR": address, "VAULT_TOKEN_FILE": str(token)}, "adx")

        with pytest.raises(kind) as caught:
            keys.unwrap("vault:v1:anything")

    assert type(caught.value) is kind
    assert caught.value.next_step
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
