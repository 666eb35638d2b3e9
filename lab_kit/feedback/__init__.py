"""Visitors' pictures and corrections: the store, and the detection of drift."""
