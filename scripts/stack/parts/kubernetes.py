"""A local Kubernetes control plane: etcd, API server, controller manager, scheduler, and kwok for nodes and pods.

All but kwok come from one binary. Nothing runs containers: kwok plays the nodes
and reports pods as ready, or as failing when their image tag says so (kwok-stages.yaml).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from scripts.stack.certificates import ensure_certificates
from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.parts.kinds import make_kinds
from scripts.stack.parts.nodes import make_nodes
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

LOCAL_CONTEXT = "adx-local"
STAGES = Path(__file__).parent / "kwok-stages.yaml"
_TOKEN = "kubernetes-token"  # noqa: S105 - the name of a file, not a token
_TOKENS = "kubernetes-tokens.csv"
# The defaults (20 and 30 requests a second) make a rollout of many objects wait for its own controllers.
_CLIENT_LIMITS = ("--kube-api-qps=300", "--kube-api-burst=600")


def settings(home: Home, known: Record) -> dict[str, str]:
    """The kubeconfig of the stack and the one context in it."""
    if not known.context and "kube-apiserver.https" not in known.ports:
        return {}
    return {"KUBECONFIG": str(home.kubeconfig), "ADX_KUBE_CONTEXT": known.context or LOCAL_CONTEXT}


def ensure_secrets(home: Home) -> None:
    """The administrator's token."""
    home.ensure_secret(_TOKEN)


def _component(context: Context, name: str, *flags: str) -> Command:
    return Command((str(context.tool("kubernetes")), name, *flags))


def _certificate_flags(home: Home) -> tuple[str, str]:
    return (
        f"--tls-cert-file={home.certificates / 'server.crt'}",
        f"--tls-private-key-file={home.secret_file('server.key')}",
    )


def _etcd(context: Context) -> Command:
    home = context.home
    client, peer, metrics = (context.port("etcd", name) for name in ("client", "peer", "metrics"))
    files = {
        "cert-file": home.certificates / "server.crt",
        "key-file": home.secret_file("server.key"),
        "trusted-ca-file": home.certificates / "ca.crt",
    }
    return _component(
        context,
        "etcd",
        "--name=local",
        f"--data-dir={home.data('etcd')}",
        f"--listen-client-urls=https://127.0.0.1:{client}",
        f"--advertise-client-urls=https://127.0.0.1:{client}",
        f"--listen-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-cluster=local=https://127.0.0.1:{peer}",
        f"--listen-metrics-urls=http://127.0.0.1:{metrics}",
        *(f"--{prefix}{name}={path}" for prefix in ("", "peer-") for name, path in files.items()),
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def _prepare_api_server(context: Context) -> None:
    """The administrator's token, in the form that the API server reads and in the kubeconfig."""
    home = context.home
    ensure_certificates(home)
    write_private(home.secret_file(_TOKENS), f'{home.secret(_TOKEN)},adx,adx,"system:masters"\n')
    write_private(home.kubeconfig, json.dumps(_kubeconfig(context), indent=2))


def _kubeconfig(context: Context) -> dict[str, object]:
    authority = base64.b64encode((context.home.certificates / "ca.crt").read_bytes()).decode()
    cluster = {"server": _api_url(context), "certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": LOCAL_CONTEXT,
        "contexts": [{"name": LOCAL_CONTEXT, "context": {"cluster": LOCAL_CONTEXT, "user": LOCAL_CONTEXT}}],
        "clusters": [{"name": LOCAL_CONTEXT, "cluster": cluster}],
        "users": [{"name": LOCAL_CONTEXT, "user": {"token": context.home.secret(_TOKEN)}}],
    }


def _api_server(context: Context) -> Command:
    home = context.home
    account_key = home.secret_file("service-account.key")
    return _component(
        context,
        "kube-apiserver",
        f"--etcd-servers=https://127.0.0.1:{context.port('etcd', 'client')}",
        f"--etcd-cafile={home.certificates / 'ca.crt'}",
        f"--etcd-certfile={home.certificates / 'server.crt'}",
        f"--etcd-keyfile={home.secret_file('server.key')}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={context.port('kube-apiserver', 'https')}",
        *_certificate_flags(home),
        f"--token-auth-file={home.secret_file(_TOKENS)}",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={account_key}",
        f"--service-account-signing-key-file={account_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",  # 127.0.0.1 is no valid endpoint of the service `kubernetes`
        "--allow-privileged=true",  # as clusters are set up; refusing pods is the business of PodSecurity
        "--event-ttl=10m",
    )


def _controller_manager(context: Context) -> Command:
    home = context.home
    return _component(
        context,
        "kube-controller-manager",
        f"--kubeconfig={home.kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={context.port('kube-controller-manager', 'https')}",
        *_certificate_flags(home),
        f"--service-account-private-key-file={home.secret_file('service-account.key')}",
        f"--root-ca-file={home.certificates / 'ca.crt'}",
        *_CLIENT_LIMITS,
    )


def _scheduler(context: Context) -> Command:
    return _component(
        context,
        "kube-scheduler",
        f"--kubeconfig={context.home.kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={context.port('kube-scheduler', 'https')}",
        *_certificate_flags(context.home),
        *_CLIENT_LIMITS,
    )


def _kwok(context: Context) -> Command:
    return Command(
        (
            str(context.tool("kwok")),
            f"--kubeconfig={context.home.kubeconfig}",
            f"--config={STAGES}",
            "--manage-all-nodes=true",
            # Without leases kwok reports less often than the controller manager is patient: nodes would flap.
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{context.port('kwok', 'http')}",
        )
    )


def _make_nodes(context: Context) -> None:
    make_nodes(_api_url(context), context.home.secret(_TOKEN), context.home.certificates / "ca.crt")


def _make_kinds(context: Context) -> None:
    authority = context.home.certificates / "ca.crt"
    make_kinds(_api_url(context), context.home.secret(_TOKEN), authority, context.tool("gateway-api"))


def _api_url(context: Context) -> str:
    return f"https://127.0.0.1:{context.port('kube-apiserver', 'https')}"


def _https_probe(context: Context, part: str, path: str) -> HttpProbe:
    url = f"https://127.0.0.1:{context.port(part, 'https')}{path}"
    return HttpProbe(url, ca_file=str(context.home.certificates / "ca.crt"))


PARTS = (
    Part(
        name="etcd",
        command=_etcd,
        probe=lambda context: HttpProbe(f"http://127.0.0.1:{context.port('etcd', 'metrics')}/readyz"),
        ports=("client", "peer", "metrics"),
        tools=("kubernetes",),
        prepare=lambda context: ensure_certificates(context.home),
    ),
    Part(
        name="kube-apiserver",
        command=_api_server,
        probe=lambda context: _https_probe(context, "kube-apiserver", "/readyz"),
        ports=("https",),
        needs=("etcd",),
        tools=("kubernetes", "gateway-api"),
        prepare=_prepare_api_server,
        finish=_make_kinds,
        address=_api_url,
    ),
    Part(
        name="kube-controller-manager",
        command=_controller_manager,
        probe=lambda context: _https_probe(context, "kube-controller-manager", "/healthz"),
        ports=("https",),
        needs=("kube-apiserver",),
        tools=("kubernetes",),
    ),
    Part(
        name="kube-scheduler",
        command=_scheduler,
        probe=lambda context: _https_probe(context, "kube-scheduler", "/healthz"),
        ports=("https",),
        needs=("kube-apiserver",),
        tools=("kubernetes",),
    ),
    Part(
        name="kwok",
        command=_kwok,
        probe=lambda context: HttpProbe(f"http://127.0.0.1:{context.port('kwok', 'http')}/healthz"),
        ports=("http",),
        needs=("kube-apiserver",),
        tools=("kwok",),
        finish=_make_nodes,
    ),
)
