"""What every HTTP API of ADX has in common: how it refuses, knows callers, bounds requests, tags answers and ends."""
