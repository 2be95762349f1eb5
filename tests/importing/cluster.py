"""Namespaces of a real cluster with objects that ADX did not make, and `adx import` of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import yaml
from lightkube import Client, KubeConfig, codecs
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from pipelines.cli.importing import import_
from pipelines.importing.model import Imported
from tests.explain.command import Ran, run
from tests.support.local_stack import LocalStack

CANARY = "canary-4d1f"
PEOPLE = Path(__file__).parent / "people.yaml"


@contextmanager
def namespace_of(stack: LocalStack, name: str, objects: list[dict[str, Any]]) -> Iterator[str]:
    """A namespace ``name`` with ``objects`` in it, as somebody applied them; removed afterwards."""
    config = KubeConfig.from_file(stack.kubeconfig).get(context_name=stack.kube_context)
    client = Client(config=config, field_manager="somebody")
    labels: dict[str, str] = next(
        (body["metadata"].get("labels", {}) for body in objects if body["kind"] == "Namespace"), {}
    )
    client.create(Namespace(metadata=ObjectMeta(name=name, labels=labels)))
    try:
        for body in objects:
            if body["kind"] != "Namespace":
                in_place = body | {"metadata": body["metadata"] | {"namespace": name}}
                client.apply(codecs.from_dict(in_place))
        yield name
    finally:
        with suppress(ApiError):  # gone already
            client.delete(Namespace, name)


def people() -> list[dict[str, Any]]:
    """The objects of people.yaml."""
    return list(yaml.safe_load_all(PEOPLE.read_text()))


def imported(stack: LocalStack, namespace: str, *arguments: str, repository: Path) -> dict[str, Any]:
    """What `adx import` says as JSON."""
    ran = ran_import(stack, namespace, *arguments, "--json", repository=repository)
    assert ran.code == 0, ran.err + ran.out
    return dict(json.loads(ran.out))


def ran_import(stack: LocalStack, namespace: str, *arguments: str, repository: Path, **more: str) -> Ran:
    """`adx import` of ``namespace`` for the repository in the folder ``repository``."""
    variables = {
        "KUBECONFIG": str(stack.kubeconfig),
        "ADX_KUBE_CONTEXT": stack.kube_context,
        "ADX_HOME": str(repository / ".adx"),
    }
    return run(import_, "--repo", str(repository), namespace, *arguments, **{**variables, **more})


def anonymous(found: dict[str, Any], namespace: str) -> Imported:
    """The answer without what is another in every run: the namespace's name, and a port that the cluster gave out."""
    text = json.dumps(found).replace(namespace, "shop")
    return msgspec.json.decode(re.sub(r'(nodePort \(|"value": ")3[0-2]\d{3}', r"\g<1>30080", text), type=Imported)
