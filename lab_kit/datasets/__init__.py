"""Download datasets, cache them, read their file formats, and sample batches."""
