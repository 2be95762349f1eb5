"""What looks secret is gone before an object is handed out."""

from __future__ import annotations

import json

from policies.checkov.masking import MASK, masked

CANARY = "canary-7d1f"
TOKEN = "ghp_" + "a" * 36


def test_secrets_are_masked_by_name_and_by_shape_wherever_they_stand() -> None:
    """In data, in variables, in lists, and inside texts that are JSON documents."""
    manifest = {
        "kind": "ConfigMap",
        "data": {"DB_PASSWORD": CANARY, "note": f"use {TOKEN}", "doc": json.dumps({"a": {"api_key": CANARY}})},
        "spec": {"env": [{"name": "SIGNING_KEY", "value": CANARY}], "args": ["--url", f"https://user:{CANARY}@host/"]},
    }
    text = json.dumps(masked(manifest))
    assert CANARY not in text
    assert TOKEN not in text
    assert text.count(MASK) == 5


def test_everything_else_stays_as_it_is() -> None:
    """What is not secret is judged unchanged, also a text that only begins like a document."""
    manifest = {
        "kind": "Deployment",
        "metadata": {"name": "cart"},
        "spec": {"replicas": 2, "on": True, "env": [{"name": "PORT", "value": "80"}], "text": "{not json", "n": None},
    }
    assert masked(manifest) == manifest


def test_the_original_is_not_changed() -> None:
    """What is applied later still has its values."""
    manifest = {"data": {"PASSWORD": CANARY}}
    masked(manifest)
    assert manifest == {"data": {"PASSWORD": CANARY}}
