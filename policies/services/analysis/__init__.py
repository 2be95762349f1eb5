"""Whether the new release of a service (green) may take over from the one that serves (blue). Pure.

::

    models.py    what was measured, what is asked, what is answered
    binomial.py  the binomial distribution: tails, exact bounds of a share, ranks around a quantile
    rates.py     share of failed requests
    latency.py   quantiles of the time requests take, from histograms
    queries.py   values of declared queries over time
    looks.py     how often data may be looked at without being fooled by chance
    judge.py     all of it, in one verdict

Nothing but the standard library is imported: workers start with it. The tests hold it against scipy.
docs/analysis.md says which method is used where, and why.
"""
