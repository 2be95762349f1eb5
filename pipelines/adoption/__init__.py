"""`adx init`: a new GitOps repository that uses the ADX that is installed."""
