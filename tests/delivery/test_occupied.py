"""A namespace that others made is not taken over: a restore would remove it with all it holds."""

from __future__ import annotations

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Namespace

from tests.delivery.delivery import Delivery


async def test_a_namespace_that_others_made_is_left_alone_until_it_is_given_to_adx(delivery: Delivery) -> None:
    """The first delivery into it is refused before anything is touched; with ADX's labels on it, it is delivered."""
    name = f"shop-{delivery.environment}"
    client = delivery.client_of_cluster()
    await client.create(Namespace(metadata=ObjectMeta(name=name)))
    await client.create(ConfigMap(metadata=ObjectMeta(name="theirs", namespace=name), data={"kept": "yes"}))
    delivery.start_worker()
    delivery.shop.merge("first")

    refused = await delivery.deliver()

    assert (refused.outcome, refused.failed_step) == ("refused", "validate")
    assert f"others have made {name}" in refused.failure
    assert (await client.get(Namespace, name)).metadata.labels == {"kubernetes.io/metadata.name": name}
    assert await delivery.live() == {}

    labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": delivery.environment}
    await client.patch(Namespace, name, {"metadata": {"labels": labels}})
    given = await delivery.deliver()

    assert given.outcome == "delivered", given.failure
    assert (await client.get(ConfigMap, "theirs", namespace=name)).data == {"kept": "yes"}
