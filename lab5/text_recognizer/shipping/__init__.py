"""What a shipped model consists of: how each part of it is made, checked and run."""
