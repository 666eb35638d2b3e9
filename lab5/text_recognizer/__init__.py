"""A codebase that learns to read handwriting."""
