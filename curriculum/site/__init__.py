"""The course as a website: what the repository holds, as pages with a menu and a search. It needs no network.

Sphinx makes the pages. It reads Markdown as GitHub does, so the documents are written once, for both.
"""
