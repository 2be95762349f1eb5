"""`adx promote`: brings an environment's declarations to what another one delivered, as a pull request.

``model``       what a promotion consists of
``documents``   the declarations of one environment as cells that can be compared one by one
``rules``       which cells travel: pure
``edits``       the files after a promotion: pure
``delivered``   what the ledger says was delivered, read from git
``gates``       what must hold before: pure; ``facts`` asks the ledger for it
``text``        commit message and pull request
``promote``     all of it in order
"""
