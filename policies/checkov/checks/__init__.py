"""ADX's own checks as checkov loads them (``--external-checks-dir``); what they look for is in policies.checkov.rules.

The modules here run in checkov's environment and import checkov, which is not installed in ours.
"""
