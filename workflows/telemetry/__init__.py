"""What ADX shows of itself: logs, metrics, health.

Boundaries: knows no system and no workflow; any activity, the worker and the
receiver may use it, workflow code may not (it logs through
``temporalio.workflow.logger``, which ends up in the same stream).

``redaction``  secrets and control characters out of everything that is written
``logs``       structlog: one JSON line per event in services, readable lines in a terminal
``metrics``    the Prometheus metrics of ADX
``probes``     ``/metrics``, ``/healthz``, ``/readyz`` over HTTP
``temporal``   the Temporal SDK's runtime with metrics and log forwarding
"""
