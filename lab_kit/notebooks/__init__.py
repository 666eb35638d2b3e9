"""What the notebooks share: quiet training, plots, a player for animations."""
