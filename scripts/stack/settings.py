"""The settings that lead programs to a stack: environment variables derived from its home and record.

Values may be secrets (the ledger's password is in its URL): they are handed to
processes and to files with mode 0600, never printed by the stack itself.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import quote

from scripts.stack.home import Home
from scripts.stack.parts import caddy, consul, kubernetes, mariadb, postgres, prometheus, redis, s3, temporal, vault
from scripts.stack.record import Record

_SNAPSHOT_KEY_BYTES = 32


def ensure_secrets(home: Home) -> None:
    """Generate once what every stack needs, whatever its parts, and the folders that the settings name."""
    home.ensure_secret("snapshot-key", lambda: base64.b64encode(secrets.token_bytes(_SNAPSHOT_KEY_BYTES)).decode())
    home.ensure_secret("webhook-secret")
    for part in (kubernetes, postgres, vault, s3, redis, mariadb):
        part.ensure_secrets(home)
    home.ensure_secret("pulumi-passphrase")
    for name in ("snapshots", "pulumi"):
        home.data(name).mkdir(mode=0o700, exist_ok=True)


def settings(home: Home, known: Record) -> dict[str, str]:
    """All settings that are known by now; a part that was never started contributes nothing."""
    found = {
        "ADX_HOME": str(home.root),
        "ADX_TASK_QUEUE": "adx",
        "ADX_TEMPORAL_NAMESPACE": "default",
        "ADX_SNAPSHOT_STORE": home.data("snapshots").as_uri(),
        "ADX_SNAPSHOT_KEY_FILE": str(home.secret_file("snapshot-key")),
        "ADX_WEBHOOK_SECRET_FILE": str(home.secret_file("webhook-secret")),
        "PULUMI_BACKEND_URL": f"file://{quote(str(home.data('pulumi')))}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home.secret_file("pulumi-passphrase")),
    }
    if known.toolchain_path:
        found["ADX_TOOLCHAIN_PATH"] = known.toolchain_path
    for part in (kubernetes, temporal, postgres, vault, s3, redis, mariadb, consul, caddy, prometheus):
        found |= part.settings(home, known)
    return found
