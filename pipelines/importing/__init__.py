"""Declarations proposed from a running namespace: read, mapped, and what they would render compared with it."""
