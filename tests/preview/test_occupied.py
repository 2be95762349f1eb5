"""A namespace that others made forbids the change, at the document that declares it."""

from __future__ import annotations

from pipelines.preview.occupied import occupied
from tests.support.desired import desired_state, tenant_unit
from workflows.infrastructure.occupied import Occupied


def test_each_is_a_problem_of_the_document_that_declares_it_with_a_way_out() -> None:
    state = desired_state("staging", tenant_unit("staging", "acme"))
    found = [Occupied(state.units[0].inputs.namespace), Occupied("shop")]

    tenant, platform = occupied(state, found)

    assert (tenant.file, platform.file) == ("tenants/acme.yaml", "environments/staging/environment.yaml")
    assert "others have made shop" in platform.what
    assert platform.fix.endswith(
        "kubectl label namespace shop app.kubernetes.io/managed-by=adx adx/environment=staging"
    )
