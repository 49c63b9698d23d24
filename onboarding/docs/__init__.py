"""The documentation, on pages: which there are, Markdown as HTML, search."""
