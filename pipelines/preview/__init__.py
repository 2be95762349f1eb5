"""What a pull request would do, as one report: gathered, judged, and told as terminal text, Markdown and JSON."""
