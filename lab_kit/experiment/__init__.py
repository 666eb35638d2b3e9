"""Around a training run: command line, run folder, checkpoints, resuming, hardware, console."""
