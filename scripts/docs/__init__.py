"""The documentation site: pages that are made from the source, and what mkdocs is told beside ``mkdocs.yml``.

What is read on a git hosting too is committed (``python -m scripts.docs`` writes it, a test holds it to the source):
the declarations. All else that is generated exists in the built site alone.
"""
