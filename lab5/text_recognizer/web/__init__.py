"""A shipped model on the web: a page to write on, and what programs ask."""
