"""`adx drift`: whether the cluster is what was last delivered. Looks only; changes nothing.

``check``        gathers and compares, two environments at a time
``last``         what the scheduled checks found, from the ledger
``exit_status``  the exit status that follows

What counts as drift is in ``workflows.drift``, which the scheduled checks use too.
"""
