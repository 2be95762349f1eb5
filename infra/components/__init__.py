"""What each system renders for a unit: pure functions from inputs to Kubernetes manifests.

One module per system; they do not import each other, ``infra.render`` composes
them. Nothing here imports pulumi, so rendering stays fast and free of servers.
"""
