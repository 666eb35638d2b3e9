"""A data set of your own: collect it, verify it, look at it, clean it."""
