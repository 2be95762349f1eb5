"""The kind HTTPRoute for lightkube, which knows only what every cluster has; registered once per process."""

from __future__ import annotations

from lightkube.generic_resource import create_namespaced_resource

HTTP_ROUTE = create_namespaced_resource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
