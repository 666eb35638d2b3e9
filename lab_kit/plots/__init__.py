"""The pictures that a run leaves: curves, predictions, confusion matrices."""
