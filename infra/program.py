"""The Pulumi program: desired state of the stack's environment → resources.

One stack per environment holds all its units. The program decides nothing: it
reads the desired state, renders it and registers the result, so that ADX and a
reviewer's plain ``pulumi preview`` plan the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import pulumi

from infra import lean_sdk
from infra.errors import StackInputsInvalid
from infra.inputs import desired_state
from infra.registration import UnitComponent, cluster_provider
from infra.render import render_units
from policies.desired_state import DesiredState
from policies.errors import AdxError, DeclarationError, Problem


def run() -> None:
    """Register every unit of the environment that the stack is named after, and export what they came from.

    Raises pulumi.RunError for what is expected to go wrong: Pulumi prints its message without a traceback.
    """
    lean_sdk.apply()
    try:
        refuse_empty_passphrase(os.environ)
        deliver(desired_state(pulumi.get_stack(), pulumi.get_project(), os.environ), cluster_context(os.environ))
    except DeclarationError as error:
        raise pulumi.RunError("\n".join([str(error), *map(problem_line, error.problems)])) from error
    except AdxError as error:
        raise pulumi.RunError(f"{error}\n{error.next_step}".strip()) from error


def deliver(state: DesiredState, context: str) -> None:
    """Everything of ``state``, in the cluster that ``context`` names."""
    register_units(state, cluster_provider(state.environment, context))
    pulumi.export("commit", state.commit)
    pulumi.export("units", {unit.id: {"digest": unit.digest, "commit": unit.commit} for unit in state.units})


def register_units(state: DesiredState, provider: pulumi.ProviderResource) -> None:
    """One component per unit; those in the platform's namespace come after it."""
    platform: list[pulumi.Resource] = []
    for unit, manifests in render_units(state.units):
        component = UnitComponent(unit, manifests, platform if unit.id.startswith("service/") else (), provider)
        if unit.id == "platform":
            platform = component.namespaces


def cluster_context(environ: Mapping[str, str]) -> str:
    """The kubeconfig context that was named; there is no default, so that no cluster is touched by accident."""
    context = environ.get("ADX_KUBE_CONTEXT", "")
    if not context:
        raise StackInputsInvalid(
            "no cluster is named: ADX_KUBE_CONTEXT is not set",
            next_step="set ADX_KUBE_CONTEXT to a context of the kubeconfig (`adx env` prints the local one)",
        )
    return context


def refuse_empty_passphrase(environ: Mapping[str, str]) -> None:
    """Pulumi accepts an empty passphrase, which protects nothing."""
    if environ.get("PULUMI_CONFIG_PASSPHRASE", "-").strip() == "":
        raise StackInputsInvalid(
            "PULUMI_CONFIG_PASSPHRASE is empty",
            next_step="unset it and name a file with PULUMI_CONFIG_PASSPHRASE_FILE (`adx env` prints the local one)",
        )


def problem_line(problem: Problem) -> str:
    """One problem as compilers print theirs."""
    return f"{problem.file}:{problem.line}:{problem.column}: {problem.path}: {problem.what}; {problem.fix}"
