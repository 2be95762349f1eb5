"""Ten ordinary pull requests, and what a reviewer is shown of each: docs/gallery/index.md."""
