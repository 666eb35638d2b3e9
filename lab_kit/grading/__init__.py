"""Points and reports from the checks of homework."""
