"""What the engine needs to know about where it runs. Reads the environment once; touches nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.errors import EngineError

PASSED_ON = ("HOME", "USER", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PULUMI_ACCESS_TOKEN")
PASSED_ON_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_", "VAULT_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where state is kept, which cluster is meant, and where the tools are.

    ``home`` is ADX's own folder; ``inherited`` are the variables of the worker
    that Pulumi may need to reach its backend, its secrets provider and the cluster.
    """

    home: Path
    backend_url: str
    kubeconfig: Path
    kube_context: str
    passphrase_file: Path | None
    tool_path: str
    project: str = "adx"
    secrets_provider: str = "passphrase"
    parallel: int = 64
    interrupt_grace_seconds: float = 30.0
    inherited: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> EngineSettings:
        """The settings that ``environ`` describes; raises EngineError naming every variable that is missing."""
        needed = ("ADX_HOME", "PULUMI_BACKEND_URL", "KUBECONFIG", "ADX_KUBE_CONTEXT")
        missing = [name for name in needed if not environ.get(name)]
        if missing:
            raise EngineError(f"not set: {', '.join(missing)}", next_step="run `adx up`, or set what `adx env` prints")
        passphrase_file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", "")
        tools = [environ.get("ADX_TOOLCHAIN_PATH", ""), environ.get("PATH", os.defpath)]
        return cls(
            home=Path(environ["ADX_HOME"]).absolute(),
            backend_url=environ["PULUMI_BACKEND_URL"],
            kubeconfig=Path(environ["KUBECONFIG"]),
            kube_context=environ["ADX_KUBE_CONTEXT"],
            passphrase_file=Path(passphrase_file) if passphrase_file else None,
            tool_path=os.pathsep.join(part for part in tools if part),
            secrets_provider=environ.get("ADX_SECRETS_PROVIDER", "passphrase"),
            inherited=passed_on(environ),
        )


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The few variables of ``environ`` that a Pulumi process gets to see."""
    return {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name in PROXIES or name.startswith(PASSED_ON_PREFIXES)
    }
