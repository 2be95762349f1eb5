"""What can go wrong while a change is delivered, by how it is retried.

::

    AdxError
    ├── AdxConnectionError      a server could not be reached or dropped the connection: tried again soon
    ├── AdxTimeoutError         no answer in time; whether it was done is unknown: asked again
    └── AdxValidationError      the input is wrong and will stay wrong: never tried again
        ├── RolloutRefused      the commit is not to be delivered (quarantined, not on the branch, …)
        │   └── PlanMoved       what would be applied is not what was reviewed
        ├── NamespaceOccupied   it would go into a namespace that others made
        ├── WorkloadFailed      the cluster says that a workload will not become ready
        ├── ReleaseRejected     a new release was found to be worse than it may be
        ├── PostDeploymentTestFailed
        └── RestoreNotVerified  after a restore, the cluster is not what the snapshot says

``workflows.retry`` turns the class, never the text, into a retry decision.
"""

from __future__ import annotations

from policies.errors import AdxError


class AdxConnectionError(AdxError):
    """A server could not be reached, or dropped the connection."""


class AdxTimeoutError(AdxError):
    """No answer in time; the operation may or may not have been done."""


class AdxValidationError(AdxError):
    """The input is wrong and trying again cannot help."""


class RolloutRefused(AdxValidationError):
    """This commit is not to be delivered; the message says why."""


class PlanMoved(RolloutRefused):
    """What would be applied is not a plan that was previewed (and approved, where that is asked for)."""


class NamespaceOccupied(AdxValidationError):
    """A delivery would go into a namespace that others made. No fault of the commit: nothing is quarantined."""


class WorkloadFailed(AdxValidationError):
    """A workload cannot become ready; waiting longer or trying again would not help."""

    exit_code = 4


class ReleaseRejected(AdxValidationError):
    """A new release does worse than its declaration allows, or nothing is known of it."""

    exit_code = 4


class PostDeploymentTestFailed(AdxValidationError):
    """A test declared in environment.yaml did not pass."""

    exit_code = 4


class RestoreNotVerified(AdxValidationError):
    """The cluster differs from the snapshot after the restore; an operator must look."""

    exit_code = 5
