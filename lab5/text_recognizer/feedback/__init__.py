"""What visitors allow to be kept, and what it teaches."""
