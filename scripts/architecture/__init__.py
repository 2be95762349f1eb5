"""The drawing of docs/architecture.md, made from the code's own imports: ``python -m scripts.architecture``."""
