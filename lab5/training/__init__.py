"""The training program and what it leaves behind."""
