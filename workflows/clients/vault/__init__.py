"""Vault through hvac: how ADX logs in (``login``), asks (``session``) and encrypts (``transit``, ``data_keys``)."""
