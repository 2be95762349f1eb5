"""Configuration over HTTP, for services that are not written in Python or want changes live."""
