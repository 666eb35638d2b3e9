"""Sweeps: many runs with different settings, chosen by Optuna, by many processes that share one study."""
