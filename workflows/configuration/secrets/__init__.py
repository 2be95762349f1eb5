"""Makes and opens the forms of secrets that stand in Git."""

from __future__ import annotations

from workflows.configuration.secrets.opening import Opener, Refused, open_secrets
from workflows.configuration.secrets.sealing import Sealer

__all__ = ["Opener", "Refused", "Sealer", "open_secrets"]
