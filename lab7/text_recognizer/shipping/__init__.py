"""The parts of a shipped model: how each is made, checked and run."""
