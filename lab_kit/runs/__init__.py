"""Runs as they lie on disk: read, grouped by their settings, and compared."""
