"""`adx drift`: whether the cluster is what was last delivered. Looks only; changes nothing.

``check``    gathers and compares, two environments at a time
``compare``  what was applied and live objects → what has drifted
``fields``   one object: what of the applied fields is otherwise
``owners``   one object: what others than ADX have put there
``report``   tells the git hosting

Compared are the inputs that the engine keeps of its last operation with the
objects themselves. A preview against the cluster would not do: the API server
refuses to try an apply over a field that somebody else has changed, and the
provider looks only at what it applied, lists by position, so that a rule added
to a network policy or a selector narrowed would pass for no change.
"""
