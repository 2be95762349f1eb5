"""Feature flags for services: ADX's provider for OpenFeature.

::

    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from pipelines.flags import AdxProvider

    api.set_provider_and_wait(AdxProvider())        # reads the file that ADX_FLAGS_FILE names
    api.get_client().get_boolean_value("express-checkout", False, EvaluationContext("ann", {"tenant": "acme"}))

Imports openfeature-sdk, msgspec and mmh3, and of ADX only what evaluates flags.
"""

from __future__ import annotations

from pipelines.flags.provider import AdxProvider

__all__ = ["AdxProvider"]
