"""Configuration: kept (``repository``), sealed (``secrets``), read (``reading``) and delivered (``workflow``).

The first three are importable by services: nothing in them imports Temporal or Pulumi.
"""
