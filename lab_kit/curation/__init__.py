"""Programs to build a data set of your own: collect pictures, verify them, review them, and apply the review."""
