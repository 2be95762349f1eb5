"""Drift: whether clusters are what was delivered to them; found by a schedule, shown, and healed where declared.

``look``       what was applied and what is live, stack by stack
``compare``    the two → what has drifted (``fields``: of what was applied; ``owners``: what others have put there)
``check``      one environment, unless a rollout holds it
``workflow``   the scheduled check; ``schedule`` keeps one for each environment, as declared
``judging``    what follows: which units are healed, which not and why
``healing``    how an object is put back; ``heal_workflow``: as a guarded change
``before``     what has drifted of the units that a rollout is about
``telling``    the git hosting, the log, the audit trail

Compared are the inputs that the engine keeps of its last operation with the
objects themselves. A preview against the cluster would not do: the API server
refuses to try an apply over a field that somebody else has changed, and the
provider looks only at what it applied, lists by position, so that a rule added
to a network policy or a selector narrowed would pass for no change.
"""
